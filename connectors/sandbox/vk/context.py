"""One VK call: who asks, for what, with which token."""

from dataclasses import dataclass

from connectors.sandbox.model import Page, Post, Token
from connectors.sandbox.readings import Visit
from connectors.sandbox.vk.errors import VkError
from connectors.sandbox.vk.events import VkEvents
from connectors.sandbox.vk.params import Params
from connectors.sandbox.world import World

NEW_SHAPES = (5, 139)  # since this version groups.getById and wall.getById answer with an object


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a method needs to know."""

    world: World
    token: Token
    params: Params
    base: str
    version: tuple[int, int]
    events: VkEvents
    visit: Visit

    @property
    def new_shapes(self) -> bool:
        """Whether the caller's version gets objects where older ones got lists."""
        return self.version >= NEW_SHAPES

    def page(self, owner_id: int) -> Page:
        """The community that owns a wall. Raises VkError(15) for walls that are not in the sandbox."""
        page = self.world.state.by_id.get(("vk", -owner_id))
        if page is None:
            raise VkError(15, "wall is not available")
        return page

    def post(self, page: Page, post_id: int, kind: str = "wall") -> Post:
        """A living post of this kind. Raises VkError(15) as VK does when it is gone."""
        post = page.posts.get(post_id)
        if post is None or post.deleted_at is not None or post.kind != kind:
            raise VkError(15, "post was not found check post_id param")
        return post

    def is_admin(self, page: Page) -> bool:
        """Whether the token may act in the page's name."""
        return self.token.kind in {"user", "community"} and self.token.serves(page)
