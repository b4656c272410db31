"""The story that every foreign client goes through: what a model does in a first quarter of an hour, each step checked."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path

TOOLS = ["crm_capabilities", "crm_query", "crm_action", "check_authorization", "find_customer", "schedule_appointment",
         "handle_reschedule_request"]
TOKENS_OF_THE_LIST = 6_000
BYTES_PER_TOKEN = 4


class Office:
    """What `frontdesk serve --demo` wrote for whoever wants to connect."""

    def __init__(self, file):
        demo = json.loads(Path(file).read_text())
        self.url = demo["mcp_url"]
        self.token = demo["agent_token"]
        self.command = demo["mcp_stdio"]["command"]
        self.arguments = demo["mcp_stdio"]["args"]
        self.owner = Owner(demo["url"], Path(file).parent)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Owner:
    """The demo's owner, who decides over REST in a session. The link in demo-owner.json works once, so the session is kept."""

    def __init__(self, url, data):
        self.url = url
        kept = data / "owner-session.json"
        if not kept.exists():
            link = json.loads((data / "demo-owner.json").read_text())["owner_sign_in_url"]
            try:
                urllib.request.build_opener(NoRedirect).open(urllib.request.Request(link, method="POST"))
            except urllib.error.HTTPError as moved:
                assert moved.code == 303, moved
                cookie = moved.headers["set-cookie"].split(";")[0]
            session = self.ask("/api/session", {"cookie": cookie})
            kept.write_text(json.dumps({"cookie": cookie, "x-csrf-token": session["csrf_token"]}))
        self.headers = json.loads(kept.read_text())

    def ask(self, path, headers, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        with urllib.request.urlopen(request) as response:
            return json.load(response)["data"]

    async def decides(self, verb, authorization, **more):
        data = {"authorization_id": authorization, **more}
        call = {"domain": "authorization", "action": verb, "data": data}
        return await asyncio.to_thread(self.ask, "/api/actions", self.headers, call)


class Teller:
    """Tells the story through `call(tool, arguments)`, which answers whether the tool failed, and its envelope."""

    def __init__(self, call, number, owner):
        self.call = call
        self.owner = owner
        self.number = number
        self.family_name = f"Quackenbush{'abcdefghijklmnop'[number]}"
        self.phone = f"(256) 555-01{number:02}"
        self.phone_otherwise = f"+1 256.555.01{number:02}"

    async def tell(self, door, who):
        contact = await self.creates()
        await self.finds(contact, self.family_name.replace("ck", "k"), "name")
        await self.finds(contact, self.phone_otherwise, "email_or_phone")
        await self.archives(contact)
        await self.restores(contact)
        await self.reads_the_trail(contact, door, who)
        await self.asks_and_is_allowed()
        return (
            f"{self.family_name} made, found misspelt and by {self.phone_otherwise}, archived once a reasoning was given, "
            f"restored; trail of 3 calls by {who}; six archived when the owner allowed it, not restored when the owner denied it"
        )

    async def asks_and_is_allowed(self):
        listed = await self.done("crm_query", {"type": "contacts", "fields": ["display_name"], "limit": 200})
        six = [{"contact_id": row["id"]} for row in listed[6 * self.number : 6 * self.number + 6]]
        assert len(six) == 6, listed
        archive = {"domain": "contact", "action": "archive", "items": six, "reasoning": "They moved away."}
        waiting = await self.waits(archive, "bulk")
        assert await self.waits(archive, "bulk") == waiting, "the same request is asked once"
        (failed, told), _ = await asyncio.gather(
            self.call("check_authorization", {"authorization_id": waiting}),
            self.owner.decides("allow_once", waiting),
        )
        assert not failed and told["success"], told
        assert told["data"]["status"] == "executed" and len(told["data"]["result"]) == 6, told
        back = await self.waits({**archive, "action": "restore"}, "bulk")
        await self.owner.decides("deny", back, note="Leave them be.")
        failed, told = await self.call("check_authorization", {"authorization_id": back})
        assert failed and told["error"]["code"] == "AUTHORIZATION_DENIED", told
        assert told["data"]["note"] == "Leave them be.", told

    async def waits(self, call, reason):
        failed, told = await self.call("crm_action", call)
        assert not failed and not told["success"], told
        assert told["error"]["code"] == "AUTHORIZATION_PENDING", told
        assert told["data"]["status"] == "pending_authorization" and told["data"]["next"], told
        assert told["data"]["reasons"][0]["code"] == reason, told
        return told["data"]["authorization_id"]

    async def creates(self):
        made = await self.done(
            "crm_action",
            {
                "domain": "contact",
                "action": "create",
                "data": {
                    "kind": "person",
                    "given_name": "Zbigniew",
                    "family_name": self.family_name,
                    "phones": [{"phone": self.phone, "type": "mobile"}],
                },
            },
        )
        assert made["display_name"] == f"Zbigniew {self.family_name}", made
        return made["id"]

    async def finds(self, contact, search, place):
        rows = await self.done("find_customer", {"search": search})
        found = [row for row in rows if row["id"] == contact]
        assert found, f"{search} does not find {contact}: {rows}"
        assert place in [match["in"] for match in found[0]["matched"]], found

    async def archives(self, contact):
        archive = {"domain": "contact", "action": "archive", "data": {"contact_id": contact}}
        failed, answer = await self.call("crm_action", archive)
        assert failed, answer
        assert answer["error"]["code"] == "REASONING_REQUIRED", answer
        assert "reasoning" in answer["error"]["hint"], answer
        archived = await self.done("crm_action", archive | {"reasoning": "The customer has moved away."})
        assert "archived_at" in archived, archived
        rows = await self.done("find_customer", {"search": self.family_name})
        assert contact not in [row["id"] for row in rows], "an archived contact is out of the search"

    async def restores(self, contact):
        restore = {"domain": "contact", "action": "restore", "data": {"contact_id": contact}}
        restored = await self.done("crm_action", restore)
        assert "archived_at" not in restored, restored

    async def reads_the_trail(self, contact, door, who):
        trail = await self.done("crm_query", {"type": "audit", "filters": {"record_id": contact}})
        assert [call["action"] for call in trail] == ["contact.restore", "contact.archive", "contact.create"], trail
        assert {call["actor"] for call in trail} == {who}, trail
        assert {call["actor_kind"] for call in trail} == {"agent"}, trail
        assert {call["door"] for call in trail} == {door}, trail
        assert trail[1]["reasoning"] == "The customer has moved away.", trail

    async def done(self, tool, arguments):
        failed, answer = await self.call(tool, arguments)
        assert not failed and answer["success"], answer
        return answer["data"]


def check_tools(tools):
    """The list as a client sees it, as JSON; its size in bytes."""
    assert [tool["name"] for tool in tools] == TOOLS, tools
    for tool in tools:
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object", tool
        assert "readOnlyHint" in tool["annotations"], tool
    size = len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode())
    assert size <= TOKENS_OF_THE_LIST * BYTES_PER_TOKEN, f"the tools cost {size} bytes"
    return size


def say(client, transport, version, size, told):
    print(f"{client} over {transport}, {version}: {len(TOOLS)} tools in {size} bytes; {told}")
