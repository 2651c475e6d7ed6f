"""How results are shown: JSON documents for machines, tables for people."""
