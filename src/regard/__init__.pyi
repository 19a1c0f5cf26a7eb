# The public names, once: type checkers read this file, and so does `__init__.py`.

from regard.causes.explanations import explain as explain
from regard.causes.head_importance import importance as importance
from regard.causes.interventions import ablate as ablate
from regard.causes.interventions import block as block
from regard.evidence.answers import collect_answers as collect_answers
from regard.evidence.board import scoreboard as scoreboard
from regard.evidence.diagnosis import doctor as doctor
from regard.evidence.examination import examine as examine
from regard.evidence.treebank import score_treebank as score_treebank
from regard.lessons.bugs import BUGS as BUGS
from regard.lessons.bugs import bug as bug
from regard.lessons.film import Film as Film
from regard.lessons.film_player import play_film as play_film
from regard.measures.anatomy import dissect as dissect
from regard.measures.comparison import compare as compare
from regard.measures.heads import measure_heads as measure_heads
from regard.measures.patterns import score_patterns as score_patterns
from regard.measures.timing import word_times as word_times
from regard.model.attention import calculate_attention_weights as calculate_attention_weights
from regard.model.attention import multi_head_attention as multi_head_attention
from regard.model.lexicon import vocabulary as vocabulary
from regard.model.masks import create_masks as create_masks
from regard.model.masks import mask_future_tokens as mask_future_tokens
from regard.model.pairs import generate_synthetic_data as generate_synthetic_data
from regard.model.tokenization import build_tokenizer as build_tokenizer
from regard.model.training import make_dataloader as make_dataloader
from regard.model.training import train_model as train_model
from regard.model.transformer import build_transformer_model as build_transformer_model
from regard.model.translation import greedy_translate as greedy_translate
from regard.pictures.difference import plot_difference as plot_difference
from regard.pictures.head import plot_attention as plot_attention
from regard.pictures.on_image import plot_heads_on_image as plot_heads_on_image
from regard.pictures.on_image import plot_on_image as plot_on_image
from regard.pictures.on_image import plot_words_on_image as plot_words_on_image
from regard.pictures.spoken import plot_alignment as plot_alignment
from regard.record.trace import Trace as Trace
from regard.tracing.run import trace as trace
from regard.tracing.run import trace_generation as trace_generation
from regard.viewer.explorer import explore as explore
from regard.viewer.sentence import visualize_attention_weights as visualize_attention_weights
from regard.viewer.widget import view as view

__version__: str
