"""A tiny network with U2-Net's signature, written as ONNX protobuf by hand.

The ``onnx`` package is no dependency; of its format (onnx.proto3) a model of two nodes needs
few fields.
"""

from __future__ import annotations

import struct
from pathlib import Path


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _int(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _node(kind: str, inputs: list[str], outputs: list[str], *attributes: bytes) -> bytes:
    parts = [_bytes(1, name) for name in inputs] + [_bytes(2, name) for name in outputs]
    return b"".join(parts) + _bytes(4, kind) + b"".join(_bytes(5, a) for a in attributes)


def _scalar(name: str, value: float) -> bytes:
    """Make a TensorProto with one float."""
    return _int(1, 1) + _int(2, 1) + _bytes(8, name) + _bytes(9, struct.pack("<f", value))


def _value(name: str, shape: list[int | str]) -> bytes:
    """Make a ValueInfoProto of floats."""
    dimensions = b"".join(
        _bytes(1, _bytes(2, size) if isinstance(size, str) else _int(1, size)) for size in shape
    )
    return _bytes(1, name) + _bytes(2, _bytes(1, _int(1, 1) + _bytes(2, dimensions)))


def write_saliency_network(path: Path, batch: int | str = 1, side: int = 320) -> Path:
    """Write a network: sigmoid(8 x mean over the colours), so what is bright is salient.

    Input (batch, 3, side, side) in ImageNet's normalisation; the first output (batch, 1, side,
    side), as of U2-Net.
    """
    mean = _bytes(1, "axes") + _int(8, 1) + _int(20, 7)
    keep = _bytes(1, "keepdims") + _int(3, 1) + _int(20, 2)
    graph = b"".join(
        [
            _bytes(1, _node("ReduceMean", ["input.1"], ["mean"], mean, keep)),
            _bytes(1, _node("Mul", ["mean", "steep"], ["logit"])),
            _bytes(1, _node("Sigmoid", ["logit"], ["d0"])),
            _bytes(2, "saliency"),
            _bytes(5, _scalar("steep", 8.0)),
            _bytes(11, _value("input.1", [batch, 3, side, side])),
            _bytes(12, _value("d0", [batch, 1, side, side])),
        ]
    )
    path.write_bytes(_int(1, 7) + _bytes(7, graph) + _bytes(8, _int(2, 13)))
    return path


def write_flow_network(path: Path, height: int | str, width: int | str, inputs: int = 2) -> Path:
    """Write a network with RAFT's signature.

    Of two pictures (1, 3, height, width) it gives the first channel of their difference in x and
    the second in y, as a flow of shape (1, 2, height, width); before it the same at a single
    pixel's height, as networks give coarse flow too.
    """

    def whole(name: str, values: list[int]) -> bytes:
        """Make a TensorProto of 64-bit whole numbers."""
        packed = struct.pack(f"<{len(values)}q", *values)
        return _int(1, len(values)) + _int(2, 7) + _bytes(8, name) + _bytes(9, packed)

    names = [str(k) for k in range(inputs)]
    graph = b"".join(
        [
            _bytes(1, _node("Sub", [names[-1], names[0]], ["change"])),
            _bytes(1, _node("Slice", ["change", "from", "to", "channels"], ["flow"])),
            _bytes(1, _node("Slice", ["flow", "from", "one", "rows"], ["coarse"])),
            _bytes(2, "flow"),
            _bytes(5, whole("from", [0])),
            _bytes(5, whole("to", [2])),
            _bytes(5, whole("one", [1])),
            _bytes(5, whole("channels", [1])),
            _bytes(5, whole("rows", [2])),
            *[_bytes(11, _value(name, [1, 3, height, width])) for name in names],
            _bytes(12, _value("coarse", [1, 2, 1, width])),
            _bytes(12, _value("flow", [1, 2, height, width])),
        ]
    )
    path.write_bytes(_int(1, 7) + _bytes(7, graph) + _bytes(8, _int(2, 13)))
    return path
