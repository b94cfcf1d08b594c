//! A topology file as written: its text, its keys and values with their places, and what is wrong with them.
