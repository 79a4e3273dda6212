"""`otklik seed`: the sample region, into a new database of its own."""

from __future__ import annotations

import asyncio

from app import bootstrap
from app.cli import show
from app.cli.owner import run
from app.cli.plan import Plan, wait_for
from app.cli.processes import listen
from app.cli.sample import may_seed, seed_sample, sign_ins
from app.cli.tree import Tree
from app.kernel import marks


def seed() -> None:
    """Fill a new database with the sample region; refuses any database that otklik did not create itself.

    `otklik up --sample` does this on its first start and then runs everything.
    """
    run(_seed())


async def _seed() -> None:
    settings = bootstrap.read_settings()
    ground = await bootstrap.open_ground(settings)
    await bootstrap.migrate(ground.url)
    if await marks.mark_of(ground.url) == marks.SAMPLE_MARK:
        show.done("The sample region is there already.")
        return
    plan = Plan(settings=settings, sample=True)
    tree = Tree(show.fail)
    try:
        if plan.platform_urls() and await may_seed(settings, ground):  # its pages are asked about at the sandbox
            listen("127.0.0.1", settings.sandbox_port, setting="OTKLIK_SANDBOX_PORT").close()
            await tree.add(plan.sandbox())
            await wait_for(f"{plan.sandbox_url}/", tree)
        await seed_sample(plan.with_platforms(settings), ground)
    finally:
        await asyncio.shield(tree.stop())
    show.done("The sample region is there.")
    show.table(("role", "sign-in", "password"), [(one.role, one.login, one.password) for one in await sign_ins(settings, ground)])
