"""The special tokens and their roles."""

ROLES = {
    "eos": "<|endoftext|>",
    "bos": "<|startoftext|>",
    "pad": "<|pad|>",
    "mask": "<|mask|>",
    "cls": "<|cls|>",
    "sep": "<|sep|>",
}
"""Role to token; byte-level text has no unknown token."""


def special_tokens(roles: tuple[str, ...] = ("eos", "pad", "mask", "cls", "sep"), sentinels: int = 0) -> list[str]:
    """The tokens of the roles, then T5's sentinels `<extra_id_0>` … (arXiv 1910.10683) for span corruption.

    >>> special_tokens(("eos", "pad"), sentinels=2)
    ['<|endoftext|>', '<|pad|>', '<extra_id_0>', '<extra_id_1>']
    """
    return [ROLES[role] for role in roles] + [f"<extra_id_{number}>" for number in range(sentinels)]
