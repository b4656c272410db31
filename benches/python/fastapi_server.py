"""Contacts over HTTP, as FastAPI's documentation has one write it: types in, types out."""

from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, HTTPException, Query

from contacts import Contact, Contacts, Hit, NewContact, serve


def app(contacts: Contacts) -> FastAPI:
    app = FastAPI()

    @app.get("/contacts/{contact_id}")
    async def read(contact_id: UUID) -> Contact:
        contact = await contacts.read(contact_id)
        if contact is None:
            raise HTTPException(404, "There is no such contact.")
        return contact

    @app.get("/contacts")
    async def search(search: Annotated[str, Query(min_length=1, max_length=200)]) -> list[Hit]:
        return await contacts.search(search)

    @app.post("/contacts", status_code=201)
    async def create(new: NewContact) -> Contact:
        return await contacts.create(new)

    return app


serve(app)
