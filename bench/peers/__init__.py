"""The peers: the same work by other means, each a program of its own, in its own layout."""
