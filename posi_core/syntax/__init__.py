"""Prompt text of each host <-> plain text + what must survive.

| in a prompt | a1111 (also Forge) | comfyui | model sees |
| --- | --- | --- | --- |
| `<lora:n:w>`, `<hypernet:n:w>` | any `<word:…>` | lora, lyco, hypernet, emb … | nothing; kept in place |
| `embedding:name` | text, as for the host | after space, newline or bracket | nothing; kept in place |
| `__wildcard__`, `${v}` | yes | yes | nothing; kept in place (wildcard names are judged) |
| `(x)`, `(x:1.3)` | yes | yes | x |
| `[x]` | yes | text | x |
| `[a|b]`, `[a:b:0.5]`, `[a:0.5]` | yes | text | every option |
| `{a|b}`, `{2$$a|b}`, `{0.5::a|b}` | yes | yes | every option |
| `na[k|k]ed`, `[fe|]male` | yes | as `{…}` | each word it can become |
| `AND`, `AND … :1.2`, `BREAK` | yes | text | chunks, one segment each |
| `\\(`, `\\)` | yes, and `\\[ \\] \\\\` | yes, and `\\{ \\}` | the bracket itself |
| unpaired brackets | as the host reads them | as the host reads them | text or nothing, as the host |
| control characters, zero-width, lone surrogates | yes | yes | nothing; kept in place |

"plain" has no syntax: everything but control characters is text.
"""

from __future__ import annotations

from .prompt import ParsedPrompt, SyntaxName, parse

__all__ = ["ParsedPrompt", "SyntaxName", "parse"]
