"""The story that every foreign client goes through: what a model does in a first quarter of an hour, each step checked."""

import json
from pathlib import Path

TOOLS = ["crm_capabilities", "crm_query", "crm_action", "find_customer"]
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


class Teller:
    """Tells the story through `call(tool, arguments)`, which answers whether the tool failed, and its envelope."""

    def __init__(self, call, number):
        self.call = call
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
        return (
            f"{self.family_name} made, found misspelt and by {self.phone_otherwise}, archived once a reasoning was given, "
            f"restored; trail of 3 calls by {who}"
        )

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
