"""From base and adapter to GGUF files. Read in this order: `merge`, `layout`, `gguf_file`, `rounding`, `quantize`,
`adapter`, `export`, then what checks it: `greedy`, `verify`, `compare`.
"""
