"""Tokens amid prose that a notebook renders: they show as text, whatever their characters mean."""

JOINERS = "\u200c\u200d"  # invisible, but scripts and emoji are written with them
FORMULA = "$\\"  # either may begin one, as in $x$ and \(x\)


def as_markup(text: object) -> str:
    r"""Write a text so that Markdown and HTML show its characters and nothing else.

    What may be a mark is written as a character reference, which no renderer takes for one. What
    cannot be seen, such as a line break, is written as Python writes it.

    Examples
    --------
    >>> print(as_markup("the cow"), as_markup("</s>"), as_markup("*"))
    the cow &#60;&#47;s&#62; &#42;

    MathJax reads once more what was rendered, and finds formulas there, but none that goes across
    elements. So what may begin one has an element of its own:

    >>> print(as_markup("$x$"), as_markup("a\n"))
    <span>&#36;</span>x<span>&#36;</span> a<span>&#92;</span>n
    """
    visible = "".join(
        c if c.isprintable() or c in JOINERS else c.encode("unicode_escape").decode()
        for c in str(text)
    )
    inner = visible.strip(" ")  # outer spaces would be cut off, or part `**` from its word
    before, _, after = visible.partition(inner) if inner else (visible, "", "")
    return "&#32;" * len(before) + "".join(map(_written, inner)) + "&#32;" * len(after)


def _written(character: str) -> str:
    if character.isalnum() or character == " " or not character.isascii():
        return character
    reference = f"&#{ord(character)};"
    return f"<span>{reference}</span>" if character in FORMULA else reference
