# SPDX-License-Identifier: MIT
"""The bytes of a port and the messages of a target.

Bytes become frames, frames become messages, and `sequence` hands on each message once and in
order. In the other direction a message becomes bytes. docs/wire-format.md is the contract with
agent/. The test vectors in tests/vectors/wire.json hold both sides to it.
"""
