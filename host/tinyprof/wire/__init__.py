# SPDX-License-Identifier: MIT
"""The bytes of a port and the messages of a target.

Going in, bytes become frames, frames become messages, and `sequence` gives each message once and
in order. Going out, a message becomes bytes. docs/wire-format.md is the contract with agent/; both
sides are held to tests/vectors/wire.json.
"""
