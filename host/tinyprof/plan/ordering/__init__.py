# SPDX-License-Identifier: MIT
"""Linker orders: the functions of a program that are used, put side by side.

`program` reads the functions of a program, `link_map` those of a linker's map. `decide` tells
which of them the used pages show to be used. `order` sorts them and carries them over to another
build. `formats` writes the text that a linker reads. `relocatable` prepares the recording link, in
which each function begins a page. `bound` says how many pages an order could save at most.
"""
