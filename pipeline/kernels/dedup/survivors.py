"""Which nodes of a graph of near-copies stay: in their order, each that is no near-copy of one that stays already."""

import numpy as np

from pipeline.kernels.compiled import kernel


@kernel()
def choose(
    ranked: np.ndarray, starts: np.ndarray, by: np.ndarray, distance: np.ndarray, most: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(stays int64[n], edge int64[n], between float32[n])`: the node that stays for each node, and the edge that says so.

    `ranked` are the nodes that may stay, the best first; node i may go for any of `by[starts[i]:starts[i + 1]]`, which are
    `distance` apart (1 minus the Jaccard similarity; more than 1 where that is not known). A node that stays has itself and
    edge -1; one that may not stay and is no near-copy of any that does has -1 and -1.

    In large groups not every two were compared. There a node also goes for the survivor of one that it is a near-copy of,
    when both distances together are at most `most`: so far apart the two are at the utmost (Jaccard distance is a metric),
    which is `between`; that is NaN elsewhere.
    """
    count = len(starts) - 1
    document, follows = np.empty(len(by), np.int64), np.zeros(count + 1, np.int64)
    for node in range(count):
        for at in range(starts[node], starts[node + 1]):
            document[at] = node
            follows[by[at] + 1] += 1
    for node in range(count):
        follows[node + 1] += follows[node]
    place, followers = follows[:-1].copy(), np.empty(len(by), np.int64)  # edges by the node that may stay
    for at in range(len(by)):
        followers[place[by[at]]] = at
        place[by[at]] += 1
    stays, edge = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    between = np.full(count, np.nan, np.float32)
    for turn in range(len(ranked) + count):
        may_stay = turn < len(ranked)
        node = ranked[turn] if may_stay else turn - len(ranked)
        if stays[node] >= 0:
            continue
        for at in range(starts[node], starts[node + 1]):
            hub = by[at]
            if edge[hub] >= 0 and distance[at] + distance[edge[hub]] <= most:
                stays[node], between[node] = stays[hub], distance[at] + distance[edge[hub]]
                break
        if stays[node] < 0 and may_stay:
            stays[node] = node
            for at in followers[follows[node] : follows[node + 1]]:
                if stays[document[at]] < 0:
                    stays[document[at]], edge[document[at]] = node, at
    return stays, edge, between
