"""What one more batch of a source would teach of it: its acceptance rate and its quality (method.md 8, `exploration`).

With v_s the utility per currency unit of the source's next sample, a batch of n and a run with it would move its mean
by a normal step of sd

    s = v_s √(S_α²/α² + S_q²/q²),    S_α² = Var α · n/(n + m),    S_q² = Var q · d² Var q/(d² Var q + 2 τ²),

m the samples that what is known of α counts for, d = f′(N) α n what the loss moves per unit of quality, τ the training
error of each of the two runs that are compared. What choosing by the mean would then lose less is the knowledge
gradient K (method.md 8). Trying costs what the batch would have brought elsewhere: with the round's money at stake
again,

    K − max(0, max_{t≠s} v_t − v_s) · (money of the batch)/(money of the round).
"""

import numpy as np
from scipy.special import ndtr

from app.planner.arrays import BoolArray, FloatArray
from app.planner.problem.canonical import Canonical

CLEAREST = 1e-12
"""Of a stated curve, on which runs have no error, a batch tells the quality but for this."""
TINY = float(np.finfo(np.float64).tiny)


def knowledge_gradient(step: FloatArray, gap: FloatArray) -> FloatArray:
    """K for steps of sd `step` of a mean that lies `gap` ≥ 0 from its best rival, broadcasting; 0 where step is."""
    sure = step > 0.0
    z = -gap / np.where(sure, step, 1.0)
    return np.where(sure, step * (z * ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)), 0.0)


def doubtful(form: Canonical) -> BoolArray:
    """The sources [S] of which a batch could teach anything."""
    return np.array([one.quality_variance > 0.0 or one.acceptance_weight is not None for one in form.sources])


def gains_of_trying(
    form: Canonical, value: FloatArray, fall: FloatArray, noise: FloatArray, money: FloatArray, open_: BoolArray
) -> FloatArray:
    """K less its cost [S, sizes] of batches for `money` [sizes] (millionths), 0 where a source is not open [S].

    value [S]: v. fall, noise [groups]: |f′| per clean sample where the group stands, and τ.
    """
    found = np.zeros((len(value), len(money)))
    per_sample = form.market.next_prices(np.zeros_like(form.market.lot))
    for at in np.flatnonzero(open_ & doubtful(form) & (value > 0.0)).tolist():
        source = form.sources[at]
        ordered = money / max(float(per_sample[at]), 1.0)
        alpha, quality = source.acceptance_rate, source.quality
        known = source.acceptance_weight
        spread = 0.0 * money
        if known is not None:
            variance = alpha * (1.0 - alpha) / (known + 1.0)
            spread = spread + variance * ordered / (ordered + known) / alpha**2
        if source.quality_variance > 0.0:
            seen = 0.0 * money
            for group, brought in _brought(form, at):
                signal = (fall[group] * brought * ordered / quality) ** 2
                seen = seen + signal / np.maximum(2.0 * noise[group] ** 2, CLEAREST * signal + TINY)
            told = source.quality_variance * seen
            spread = spread + source.quality_variance * told / (told + 1.0) / quality**2
        rival = float(np.max(np.delete(np.where(open_, value, 0.0), at), initial=0.0))
        gap = rival - value[at]
        gained = knowledge_gradient(value[at] * np.sqrt(spread), np.full(len(money), abs(gap)))
        found[at] = gained - max(0.0, gap) * money / max(form.market.budget, 1)
    return found


def _brought(form: Canonical, at: int) -> list[tuple[int, float]]:
    """Each group that a source feeds, with the clean samples that an ordered one brings."""
    feeds = form.market.feeds
    places = slice(feeds.indptr[at], feeds.indptr[at + 1])
    return list(zip(feeds.indices[places].tolist(), feeds.data[places].tolist(), strict=True))
