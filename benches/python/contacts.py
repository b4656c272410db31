"""Contacts over asyncpg, as both servers read and make them, and the process in which each is served.

The statements stand in files of their own, because `pgbench` repeats the very same ones.
"""

import json
import os
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import uvicorn
import uvloop
from pydantic import BaseModel, Field

ORG = UUID(os.environ["COMPARISON_ORG"])
CONNECTIONS = int(os.environ["COMPARISON_CONNECTIONS"])
HERE = Path(__file__).parent

Text = Annotated[str, Field(min_length=1, max_length=200)]


def statement(name: str) -> str:
    return (HERE / f"{name}.sql").read_text()


READ, SEARCH = statement("read"), statement("search")
CREATE_CONTACT, CREATE_EMAIL = statement("create_contact"), statement("create_email")
CREATE_PHONE, CREATE_ADDRESS = statement("create_phone"), statement("create_address")


class Email(BaseModel):
    email: Text
    type: str = "other"
    is_primary: bool = True


class Phone(BaseModel):
    phone: Text
    type: str = "mobile"
    is_primary: bool = True


class NewAddress(BaseModel):
    street: Text
    city: Text
    region: Text | None = None
    postal_code: Text | None = None


class Address(NewAddress):
    id: UUID
    country: str = "US"
    is_primary: bool = True


class NewContact(BaseModel):
    given_name: Text
    family_name: Text
    email: Text
    phone: Text
    address: NewAddress


class Contact(BaseModel):
    id: UUID
    kind: str
    display_name: str
    given_name: str | None
    family_name: str | None
    preferred_time: str
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    emails: list[Email]
    phones: list[Phone]
    addresses: list[Address]


class Hit(BaseModel):
    id: UUID
    display_name: str
    emails: list[str]
    phones: list[str]
    addresses: list[str]


class Contacts:
    """The contacts of one organization."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def read(self, contact_id: UUID) -> Contact | None:
        row = await self.pool.fetchrow(READ, ORG, contact_id)
        return row and Contact(**row)

    async def search(self, text: str) -> list[Hit]:
        return [Hit(**row) for row in await self.pool.fetch(SEARCH, ORG, text)]

    async def create(self, new: NewContact) -> Contact:
        address = new.address
        place = (address.street, address.city, address.region, address.postal_code)
        words = (new.given_name, new.family_name, new.email, new.phone, *place)
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                CREATE_CONTACT, ORG, new.given_name, new.family_name, " ".join(word for word in words if word)
            )
            await connection.execute(CREATE_EMAIL, ORG, row["id"], new.email)
            await connection.execute(CREATE_PHONE, ORG, row["id"], new.phone)
            address_id = await connection.fetchval(CREATE_ADDRESS, ORG, row["id"], *place)
        return Contact(
            **row,
            given_name=new.given_name,
            family_name=new.family_name,
            emails=[Email(email=new.email)],
            phones=[Phone(phone=new.phone)],
            addresses=[Address(id=address_id, **address.model_dump())],
        )


async def understand_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


def serve(app_over: Callable[[Contacts], Any]) -> None:
    """One process with as many connections to the database as clients ask at once; its address is its first line."""

    async def main() -> None:
        async with asyncpg.create_pool(
            min_size=CONNECTIONS,
            max_size=CONNECTIONS,
            init=understand_json,
            server_settings={"search_path": "comparison"},
        ) as pool:
            listener = socket.create_server(("127.0.0.1", 0))
            print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
            config = uvicorn.Config(
                app_over(Contacts(pool)), loop="uvloop", http="httptools", log_level="warning", access_log=False
            )
            await uvicorn.Server(config).serve(sockets=[listener])

    uvloop.run(main())
