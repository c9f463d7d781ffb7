"""What a response is asked of a model with, in the words that models are asked in."""

from typing import Any, cast

import orjson

from turnpike.api.agent_runtime.v1.completion_service_pb2 import StreamCompletionRequest
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.routes.openai.chat_request import Document
from turnpike.gateway.routes.openai.response_request import ResponseRequest
from turnpike.gateway.routes.openai.unsupported import unsupported

_ROLES = frozenset({"system", "developer", "user", "assistant"})
_TEXTS = frozenset({"input_text", "output_text", "text"})
_AS_THEY_ARE = (
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "temperature",
    "top_p",
    "user",
)
_KEEPS_NOTHING = "a model keeps nothing: send the whole conversation, or ask an agent"


def model_request(asked: ResponseRequest, session: str) -> StreamCompletionRequest:
    """Returns the request for a model's answer.

    Raises:
        ProblemError: It asks for what is kept, or for what no model of ours is told.
    """
    kept = ("background", "conversation", "previous_response_id", "store")
    if refused := [name for name in kept if getattr(asked, name)]:
        raise unsupported(refused, _KEEPS_NOTHING)
    messages: list[Document] = []
    if asked.instructions:
        messages.append({"role": "system", "content": asked.instructions})
    if isinstance(asked.input, str):
        messages.append({"role": "user", "content": asked.input})
    else:
        for number, item in enumerate(asked.input):
            _add(messages, item, f"input[{number}]")
    parameters = _parameters(asked)
    return StreamCompletionRequest(
        model=asked.model,
        session=session,
        messages=[orjson.dumps(message).decode() for message in messages],
        tools=[
            orjson.dumps(_chat_tool(tool, f"tools[{number}]")).decode()
            for number, tool in enumerate(asked.tools or ())
        ],
        parameters=orjson.dumps(parameters).decode() if parameters else "",
        max_output_tokens=asked.max_output_tokens,
    )


def _add(messages: list[Document], item: Document, path: str) -> None:
    match item.get("type", "message"):
        case "message":
            messages.append(_message(item, path))
        case "function_call":
            _add_call(messages, item, path)
        case "function_call_output":
            messages.append(_output(item, path))
        case "reasoning":
            # Of another request; whoever thought it does not know it any more.
            return
        case kind:
            raise unsupported([path], f"{kind!r} is nothing that a model is told here")


def _message(item: Document, path: str) -> Document:
    role, content = item.get("role"), item.get("content")
    if role not in _ROLES:
        raise invalid_field(f"{path}.role", "must be system, developer, user or assistant")
    if isinstance(content, str):
        return {"role": role, "content": content}
    parts = _parts(content, f"{path}.content")
    if all(part["type"] == "text" for part in parts) and (role != "user" or len(parts) == 1):
        return {"role": role, "content": "".join(part["text"] for part in parts)}
    return {"role": role, "content": parts}


def _parts(content: Any, path: str) -> list[Document]:
    if not isinstance(content, list):
        raise invalid_field(path, "must be a text, or a list of parts")
    parts = cast("list[Any]", content)
    return [_part(part, f"{path}[{number}]") for number, part in enumerate(parts)]


def _part(part: Any, path: str) -> Document:
    found: Document = part if isinstance(part, dict) else {}
    kind = found.get("type")
    if kind in _TEXTS and isinstance(found.get("text"), str):
        return {"type": "text", "text": found["text"]}
    if kind == "refusal":
        return {"type": "text", "text": str(found.get("refusal", ""))}
    if kind == "input_image" and isinstance(found.get("image_url"), str):
        image = {"url": found["image_url"]}
        if found.get("detail"):
            image["detail"] = found["detail"]
        return {"type": "image_url", "image_url": image}
    raise unsupported([path], "only texts and images by URL are taken")


def _add_call(messages: list[Document], item: Document, path: str) -> None:
    """Adds a call to the assistant's message before it, or to one of its own."""
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    call_id = item.get("call_id")
    if not all(isinstance(each, str) for each in (*function.values(), call_id)):
        raise invalid_field(path, "a call has a call_id, a name and arguments")
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    calls = messages[-1].setdefault("tool_calls", [])
    calls.append({"id": call_id, "type": "function", "function": function})


def _output(item: Document, path: str) -> Document:
    output = item.get("output")
    if not isinstance(item.get("call_id"), str):
        raise invalid_field(f"{path}.call_id", "Field required")
    if not isinstance(output, str):
        parts = _parts(output, f"{path}.output")
        if any(part["type"] != "text" for part in parts):
            raise unsupported([f"{path}.output"], "a tool's result is told as text")
        output = "".join(part["text"] for part in parts)
    return {"role": "tool", "tool_call_id": item["call_id"], "content": output}


def _chat_tool(tool: Document, path: str) -> Document:
    if tool.get("type") != "function" or not isinstance(tool.get("name"), str):
        raise unsupported([path], "only functions, which the client runs, are taken")
    names = ("name", "description", "parameters", "strict")
    return {
        "type": "function",
        "function": {name: tool[name] for name in names if tool.get(name) is not None},
    }


def _parameters(asked: ResponseRequest) -> Document:
    parameters: Document = {name: getattr(asked, name) for name in _AS_THEY_ARE}
    parameters["reasoning_effort"] = (asked.reasoning or {}).get("effort")
    text = asked.text or {}
    parameters["verbosity"] = text.get("verbosity")
    parameters["response_format"] = _response_format(text.get("format"))
    if asked.tools:
        parameters["tool_choice"] = _tool_choice(asked.tool_choice)
    else:
        parameters.pop("parallel_tool_calls")
    return {name: value for name, value in parameters.items() if value is not None}


def _response_format(given: Any) -> Document | None:
    if not isinstance(given, dict) or given.get("type") == "text":
        return None
    form = cast("Document", given)
    if form.get("type") != "json_schema":
        return form
    schema = {name: value for name, value in form.items() if name != "type"}
    return {"type": "json_schema", "json_schema": schema}


def _tool_choice(given: str | Document | None) -> Any:
    if not isinstance(given, dict):
        return given
    if given.get("type") != "function":
        raise unsupported(["tool_choice"], "a function is chosen by its name, or none")
    return {"type": "function", "function": {"name": given.get("name")}}
