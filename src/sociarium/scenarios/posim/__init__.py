"""POSIM: public opinion about an event on a microblog, with beliefs, desires, intentions and a clock that excites itself."""
