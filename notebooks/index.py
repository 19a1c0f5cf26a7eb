# %% [markdown]
# # regard: see what a Transformer attends to
#
# 1. [Self-attention](self_attention.ipynb): build, train and open up a Transformer.
# 2. [How sure is that?](how_sure.ipynb): intervals, tests, knock-outs, five seeds and a bug zoo.
# 3. [Seeing](seeing.ipynb): a Transformer that is asked about pictures, and what a heatmap over one shows.
#
# All are executed already. To run one yourself: *Run*, *Run All Cells*.
