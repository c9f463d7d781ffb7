"""Who may see and change which connectors."""

from dataclasses import dataclass

from turnpike.rpc.errors import ForbiddenError


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who asks for a connector."""

    principal: str
    is_admin: bool

    @property
    def narrowed_to(self) -> str:
        """Whose connectors are shown beside the tenant's; all with an empty one."""
        return "" if self.is_admin else self.principal

    def sees(self, owner: str) -> bool:
        """Whether a connector of `owner`, the tenant without one, is shown."""
        return self.is_admin or owner in ("", self.principal)

    def require(self, owner: str) -> None:
        """Raises `ForbiddenError` unless a connector of `owner` is this one's to change."""
        if not self.is_admin and owner != self.principal:
            raise ForbiddenError("this needs the role admin, or a connector of one's own")
