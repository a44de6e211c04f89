"""Money spent on learning: where one more batch narrows the decision most (method.md 8, `exploration`).

The decision feeds the group whose marginal utility per cost q is largest on average. A batch of group g, and a run with
it, would move q̄_g by a normal step of sd s_g = |cov(q, μ)| / √(var μ + 2 τ²), μ the fall of its loss over the batch,
which the run measures against the last one: a shared holdout's error cancels, both runs' training errors τ do not.
What choosing by the mean would then lose less is the knowledge gradient (Frazier, Powell and Dayanik 2009)

    K_g = s_g (ζ Φ(ζ) + φ(ζ)),    ζ = −|q̄_g − max_{h≠g} q̄_h| / s_g.

Where a share is asked for, sources of which acceptance or quality are not known for sure are tried by the same rule
(`quality.trying`). Money that would teach nothing goes back to the policy.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.errors import InfeasibleError, ProblemError
from app.planner.plan.decide import Decision, decide
from app.planner.plan.margins import marginal_draws, room, worth
from app.planner.policies.fill_orders import Shelves, sample_prices
from app.planner.policies.policy import PolicyName
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.quality.trying import doubtful, gains_of_trying, knowledge_gradient
from app.planner.wording import MILLIONTHS

FLAT_CHANCE = 0.1
"""A group whose curve has not started with this chance or more, that of the warning, is explored by default. At half of
it steps keep .02 more of the best gain, but where nothing starts twice as much is lost."""

SHARE_EACH, LARGEST_SHARE = 0.1, 0.2
"""The share of the money that is explored by default for each such group, and for all of them together."""

STRETCH = 0.01
"""A curve's slope is that over so large a step, as a share of the count."""

MONEY_PARTS = 16
"""The money for exploring is given out in so many equal parts."""


def default_share(form: Canonical, decision: Decision) -> tuple[float, BoolArray, FloatArray | None]:
    """The share of the money that is explored where none is asked for, the groups [groups] it may go to, and the
    decision's `marginal_draws` where they were asked.

    Those are the groups that may not have started to learn, and to which, were that certain, more money would go than
    the decision gives; where `optimal` buys for a utility that adds up over the groups.
    """
    flat = form.supplied & form.utility.counted & (form.utility.posterior.not_started >= FLAT_CHANCE)
    if decision.policy != "optimal" or not form.utility.is_additive or not flat.any():
        return 0.0, np.zeros_like(flat), None
    marginals, waiting = marginal_draws(form, decision), form.utility.posterior.excess > 0.0
    waiting &= form.utility.posterior.threshold > 0.0
    were_it_certain = (marginals * waiting).sum(axis=1) / np.maximum(waiting.sum(axis=1), 1)
    flat &= were_it_certain > marginals.mean(axis=1).max()
    return min(LARGEST_SHARE, SHARE_EACH * int(flat.sum())), flat, marginals


def decide_exploring(
    problem: Problem, policy: PolicyName, exploration: float | None, seed: int
) -> tuple[Decision, int]:
    """The policy's decision for what `exploration` (0 to 1) leaves of the budget, and the rest spent on learning.

    exploration: None for the `default_share`, spent on its groups alone. Also what the latter cost, in millionths.
    Where bounds and limits call for more money than is left, they come first. Raises InfeasibleError and SolverError as
    `decide`, ProblemError where exploration is out of range.
    """
    if exploration is not None and not 0.0 <= exploration <= 1.0:
        raise ProblemError(f"exploration is {exploration}; it must lie from 0 to 1, a share of the round's money")
    form = Canonical.of(problem)
    share, among, whole, marginals = exploration, None, None, None
    if share is None:
        whole = decide(form, policy, seed)
        share, among, marginals = default_share(form, whole)
    money = int(share * problem.budget)
    if not money:
        return whole or decide(form, policy, seed), 0
    try:
        first = decide(_with_less(problem, form, money), policy, seed)
    except InfeasibleError:
        first = decide(form, policy, seed)
        money = min(money, first.left)
    more = explore(form, first, money, among)
    if not more.any():
        return whole or decide(form, policy, seed), 0
    if whole is None:
        first = _with_what_is_left(problem, form, first, more, money, policy, seed)
    orders = first.orders + more
    costs = (form.market.costs(some) for some in (orders, first.orders))
    spent = np.subtract(*(np.array(cost, dtype=np.int64) for cost in costs))
    if whole is not None:
        decision = replace(whole.instead(_with_rest(form, whole, orders, marginals)), explored=form.spent_on(spent))
    else:
        given = {source.key: order for source, order in zip(form.sources, orders.tolist(), strict=True)}
        decision = decide(form, "given", given=given)
    return replace(decision, policy=policy, method=f"{policy}, then exploration"), int(sum(spent.tolist()))


def _with_less(problem: Problem, form: Canonical, money: int) -> Canonical:
    """The problem, of which `form` is the solvers' view, with so much less money."""
    budget = problem.budget - money
    if any(bound.of_money for bound in form.region.bounds):
        # Limits on money are read anew: scaled from budget to budget they are rounded otherwise.
        return Canonical.of(replace(problem, budget=budget))
    return form.with_budget(budget)


def _with_what_is_left(
    problem: Problem, form: Canonical, first: Decision, more: IntArray, money: int, policy: PolicyName, seed: int
) -> Decision:
    """The policy's decision with the money that exploring `more` [S] does not take, where both fit together; `first`:
    that without any of the `money` set apart."""
    taken = form.market.cost(first.orders + more) - form.market.cost(first.orders)
    if taken >= money:
        return first
    try:
        larger = decide(_with_less(problem, form, taken), policy, seed)
    except InfeasibleError:
        return first
    both = larger.orders + more
    market = form.market
    fits = np.all(both <= market.most) and market.cost(both) <= market.budget and form.region.allows(market, both)
    return larger if fits else first


def _with_rest(form: Canonical, whole: Decision, orders: IntArray, marginals: FloatArray | None) -> IntArray:
    """The orders [S] with the steps that what both parts left over still pays for, to the groups that gain most;
    marginals: those of `whole`, worked out where None."""
    mean = (marginal_draws(form, whole) if marginals is None else marginals).mean(axis=1)
    left = form.market.budget - form.market.cost(orders)
    price = Shelves(form.market, form.space).next_step_cost(orders)
    for group in np.argsort(-mean, kind="stable").tolist():
        if mean[group] > 0.0 and price[group] <= left:
            orders, cost = _buy(form, orders, group, form.sources_of(group).tolist(), left, left)
            left -= cost
    return orders


def explore(form: Canonical, decision: Decision, money: int, among: BoolArray | None = None) -> IntArray:
    """Orders [S] beyond the decision's that spend up to `money` millionths, whole steps within every limit; among: the
    groups [groups] they may serve, None: all.

    The problem's budget pays for both. Each part goes to the group for which some number of the parts left has the
    largest rise of K per part, from its cheapest source, or to the source that is tried, where there are no `among`;
    what cannot be served further is passed over.
    """
    marginals = marginal_draws(form, decision)
    orders, left = decision.orders.copy(), money
    groups = len(form.keys)
    open_ = form.supplied & form.utility.counted & (marginals.var(axis=1) > 0.0)
    if among is not None:
        open_ &= among
    table = _gains(form, decision, marginals, money / MONEY_PARTS, open_)
    # Money set apart for some groups is theirs, though its last parts may teach no more.
    least = 0.0 if among is None else np.where(table.max(axis=1) > 0.0, np.finfo(np.float64).tiny, 0.0)
    if among is None and doubtful(form).any():
        tried = _gains_of_sources(form, decision, money)
        table, least = np.vstack([table, tried]), np.zeros(groups + len(tried))
        open_ = np.append(open_, tried.max(axis=1) > 0.0)
    parts = np.zeros(len(table), dtype=np.int64)
    for spent in range(MONEY_PARTS):
        rates = np.where(open_, np.maximum(_rates(table, parts, MONEY_PARTS - spent), least), -np.inf)
        while rates.max(initial=-np.inf) > 0.0:
            at = int(np.argmax(rates))
            serving = form.sources_of(at).tolist() if at < groups else [at - groups]
            purse = left - money * (MONEY_PARTS - 1 - spent) // MONEY_PARTS
            group = at if at < groups else int(form.groups_of(at - groups)[0])
            orders, cost = _buy(form, orders, group, serving, purse, left)
            if cost:
                left -= cost
                parts[at] += 1
                break
            rates[at], open_[at] = -np.inf, False
    return orders - decision.orders


def _gains_of_sources(form: Canonical, decision: Decision, money: int) -> FloatArray:
    """`gains_of_trying` [S, parts] of 0 to MONEY_PARTS parts of the money."""
    market = form.market
    terms = form.values.moved(decision.counts).terms(decision.counts)
    prices = market.next_prices(decision.orders) / MILLIONTHS
    value = np.asarray(market.effective.T @ worth(form, decision.counts, terms)) / prices
    posterior = form.values.moved(decision.counts).posterior
    batch = np.maximum(decision.counts, 1.0)
    lower = posterior.path(batch) - posterior.path(batch * (1.0 + STRETCH))
    fall = np.asarray(lower.mean(axis=1) / (batch * STRETCH), dtype=np.float64)
    sizes = np.linspace(0.0, float(money), MONEY_PARTS + 1)
    return gains_of_trying(form, value, fall, posterior.noise, sizes, room(form, decision.orders))


def _gains(form: Canonical, decision: Decision, marginals: FloatArray, money: float, open_: BoolArray) -> FloatArray:
    """K [groups, parts] of 0 to MONEY_PARTS parts of `money` millionths spent on a group's samples, 0 where not open
    [groups]."""
    mean, some = marginals.mean(axis=1), np.flatnonzero(open_)
    gap = np.abs(mean - _best_of_others(np.where(form.utility.counted, mean, -np.inf)))[some]
    posterior = form.values.moved(decision.counts).posterior.part(some)
    batch = (money / sample_prices(form.market))[some]
    start = decision.counts[some]
    counts = start[:, None] + np.where(np.isfinite(batch), batch, 0.0)[:, None] * np.arange(MONEY_PARTS + 1)
    fall = posterior.path(start)[:, None, :] - posterior.path(counts)
    fall -= fall.mean(axis=2, keepdims=True)
    off = marginals[some] - mean[some, None]
    covariance = (fall * off[:, None, :]).mean(axis=2)
    variance = (fall**2).mean(axis=2) + 2.0 * posterior.noise[:, None] ** 2
    step = np.abs(covariance) / np.sqrt(np.maximum(variance, np.finfo(np.float64).tiny))
    table = np.zeros((len(mean), MONEY_PARTS + 1))
    table[some] = knowledge_gradient(step, np.where(np.isfinite(gap), gap, 0.0)[:, None])
    return table


def _best_of_others(mean: FloatArray) -> FloatArray:
    """The largest of the other groups' means [groups]; a group alone is compared with itself."""
    if len(mean) == 1:
        return mean
    first, second = np.argsort(-mean, kind="stable")[:2]
    best = np.full(len(mean), mean[first])
    best[first] = mean[second]
    return best


def _rates(table: FloatArray, parts: IntArray, most: int) -> FloatArray:
    """The largest rise of K per part [groups] over the next 1 to `most` parts: K may start flat and then rise."""
    now = np.take_along_axis(table, parts[:, None], axis=1)
    ahead = np.arange(table.shape[1]) - parts[:, None]
    reached = (ahead > 0) & (ahead <= most)
    rise = np.divide(table - now, ahead, out=np.zeros_like(table), where=reached)
    return np.asarray(rise.max(axis=1))


def _buy(
    form: Canonical, orders: IntArray, group: int, serving: Sequence[int], purse: int, left: int
) -> tuple[IntArray, int]:
    """Steps for a group from the sources `serving` it for about `purse` millionths, one at least if `left` pays for
    it; the orders and their cost."""
    market, shelves, start = form.market, Shelves(form.market, form.space), orders
    spent = 0
    while True:
        able = [
            (cost / brought, at, step, cost)
            for at in serving
            for step, cost, brought in [_step(form, shelves, orders, group, at)]
            if step and spent + cost <= (purse if spent else left)
        ]
        for _, at, step, cost in sorted(able):
            lots = max(1, min((purse - spent) // max(cost, 1), shelves.room(orders, at) // step))
            bought = _ordered(form, orders, at, step * (lots if orders[at] else 1), left - spent)
            if bought is None:
                bought = _ordered(form, orders, at, step, left - spent)
            if bought is not None:
                orders = bought
                break
        else:
            return orders, spent
        spent = market.cost(orders) - market.cost(start)


def _step(form: Canonical, shelves: Shelves, orders: IntArray, group: int, at: int) -> tuple[int, int, float]:
    """The next step of a source: samples (0: none), cost, and effective samples of the group."""
    source, order = form.sources[at], int(orders[at])
    step = int(source.lot_size if order else source.least)
    if shelves.is_fixed[at] or order + step > form.market.most[at] or step > shelves.room(orders, at):
        return 0, 0, 1.0
    brought = float(form.market.effective[[group], [at]].sum()) * step
    return step, source.cost(order + step) - source.cost(order), brought


def _ordered(form: Canonical, orders: IntArray, at: int, samples: int, left: int) -> IntArray | None:
    """The orders with more of a source, None where limits or what is left forbid it."""
    more = orders.copy()
    more[at] += samples
    source = form.sources[at]
    cost = source.cost(int(more[at])) - source.cost(int(orders[at]))
    if more[at] > form.market.most[at] or cost > left or not form.region.allows(form.market, more):
        return None
    return more
