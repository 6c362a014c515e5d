"""LocalCode: a gateway between coding agents and language models.

`create_app` wires everything, top to bottom. Importing this does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config.catalog import Catalog
    from app.config.settings import Settings

__version__ = "0.1.0"


def create_app(settings: Settings, catalog: Catalog) -> Flask:
    """The WSGI application that serves a catalog.

    `extensions["renew"](catalog)` exchanges the catalog, `["close"]()` writes what is still to be kept.
    """
    import time

    from flask import Flask

    from app import logs
    from app.backends.counting import Counting
    from app.backends.fixed import Fixed
    from app.backends.harmony import Harmony
    from app.backends.harmony_prompt import HarmonyPrompt
    from app.backends.http import Http
    from app.backends.image_fetch import inline_images
    from app.backends.kept_answers import KeptAnswers
    from app.backends.ledger import Ledger
    from app.backends.litellm_client import LiteLLM
    from app.backends.meter import Meter
    from app.backends.relay import Relay
    from app.backends.retrying import Retrying
    from app.backends.seal import Sealer
    from app.backends.state import open_store
    from app.backends.state_writer import Writer
    from app.config.catalog import needs_litellm
    from app.gateway import Gateway
    from app.memory import Memory
    from app.remembering import Remembering
    from app.routes import (
        access,
        chat,
        completions,
        count_tokens,
        embeddings,
        failures,
        health,
        messages,
        models,
        paths,
        rerank,
        responses,
    )
    from app.types import Backend, CarrierName

    logs.prepare()
    via = f"1.1 localcode-{settings.instance}"
    http = Http()
    litellm = LiteLLM(via)
    backends: dict[CarrierName, Backend] = {
        "relay": Retrying(Harmony(Relay(http, via), HarmonyPrompt())),
        "litellm": Retrying(litellm),
        "fixed": Fixed(),
    }
    store = open_store(settings.home, settings.state_url)
    writer = Writer(store)  # for what no event may wait for
    memory = Memory(KeptAnswers(store), Sealer.of(settings.home, store))
    counting = Counting(http, via)
    meter = Meter(also=counting.learn)
    gateway = Gateway(catalog, backends, inline_images, Remembering(Ledger(writer), meter))

    def renew(catalog: Catalog) -> None:
        logs.learn(catalog.secrets)
        gateway.catalog = catalog
        if needs_litellm(catalog):
            litellm.load_in_background()

    app = Flask(__name__, static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=settings.max_body, STARTED=time.monotonic(), VERSION=__version__)
    app.wsgi_app = paths.as_meant(app.wsgi_app)  # type: ignore[method-assign,assignment]
    app.url_map.strict_slashes = False  # /v1/models/ is what some clients make of a base URL
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]  # none is async, so none need be asked
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.extensions.update(gateway=gateway, memory=memory, counting=counting, renew=renew, close=writer.close)
    access.guard(app, settings, via)
    failures.handle(app)
    for room in (health, models, chat, messages, responses, count_tokens, completions, embeddings, rerank):
        blueprint = room.bp
        app.register_blueprint(blueprint)
        app.register_blueprint(blueprint, name=f"v1_{blueprint.name}", url_prefix="/v1")
    app.register_blueprint(rerank.bp, name="v2_rerank", url_prefix="/v2")  # where Cohere's SDK asks
    renew(catalog)
    return app
