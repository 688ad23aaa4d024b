"""Conservation: documents and bytes that go in come out, or the step cannot commit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.errors import ConservationError


@dataclass
class Balance:
    """What one unit took in and gave out.

    Documents: entered + children = kept + removed + quarantined, where `children` counts the additional documents that
    split records gave (a record split into n counts n - 1). Bytes of text likewise, with what rules inserted and cut.
    """

    entered: int = 0
    children: int = 0
    kept: int = 0
    removed: int = 0
    quarantined: int = 0
    bytes_entered: int = 0
    bytes_kept: int = 0
    bytes_removed: int = 0
    bytes_quarantined: int = 0
    inserted: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)

    def check(self, where: str) -> None:
        """Raise ConservationError with both sides of the equation when one does not hold."""
        left, right = self.entered + self.children, self.kept + self.removed + self.quarantined
        if left != right:
            raise ConservationError(
                f"{where}: {self.entered} documents entered + {self.children} children ≠ "
                f"{self.kept} kept + {self.removed} removed + {self.quarantined} quarantined"
            )
        left = self.bytes_entered + sum(self.inserted.values())
        right = self.bytes_kept + self.bytes_removed + self.bytes_quarantined + sum(self.cut.values())
        if left != right:
            raise ConservationError(
                f"{where}: {self.bytes_entered} bytes of text entered + {sum(self.inserted.values())} inserted ≠ "
                f"{self.bytes_kept} kept + {self.bytes_removed} removed + {self.bytes_quarantined} quarantined + "
                f"{sum(self.cut.values())} cut"
            )


def add_up(balances: Iterable[Balance | None]) -> Balance:
    """The sum of recorded balances."""
    total = Balance()
    for balance in balances:
        for name, value in vars(balance).items() if balance else ():
            if isinstance(value, Mapping):
                sums = getattr(total, name)
                for rule, amount in value.items():
                    sums[rule] = sums.get(rule, 0) + amount
            else:
                setattr(total, name, getattr(total, name) + value)
    return total
