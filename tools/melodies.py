"""A Whisper of two layers that learns to write melodies down: one whose behaviour is known."""

from typing import Any

import numpy as np
import torch

from tests.tiny_melodies import RATE, Hearing, melody, whisper

MELODIES = 3000
STEPS, BATCH = 1000, 32
RATE_OF_LEARNING = 2e-3


def learned() -> Any:
    """Train it anew, in two or three minutes: it is told which notes sound, not when."""
    random, hearing = np.random.default_rng(0), Hearing()
    melodies = [melody(random) for _ in range(MELODIES)]
    sounds = [one.samples for one in melodies]
    heard = hearing(sounds, sampling_rate=RATE, return_tensors="pt")["input_features"]
    written = hearing.tokenizer([one.text for one in melodies], return_tensors="pt", padding=True)
    labels = written["input_ids"].masked_fill(written["attention_mask"] == 0, -100)
    model = whisper().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE_OF_LEARNING)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE_OF_LEARNING, STEPS)
    for _ in range(STEPS):
        batch = torch.from_numpy(random.integers(0, MELODIES, BATCH))
        loss = model(input_features=heard[batch], labels=labels[batch]).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()
