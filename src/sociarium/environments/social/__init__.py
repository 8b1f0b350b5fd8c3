"""A social platform: posts, comments, shares, votes, follows, groups; feeds from recommenders; every act a row of its trace."""
