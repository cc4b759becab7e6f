"""Explorer of the states of payouts: runs the library's own code in all orders of events, within bounds.

The code that decides is the library's: `Payouts` with all that belongs to it, and `MemoryJournal`. Only the world
around it is modelled. The files, from the values up:

- `values`: numbers of values, so that states are cheap. `ages`: time, relative and bounded.
- `replay`: runs coroutines call by call. `service`: `Payouts` over a journal and a transport that are calls.
- `journal_state`: the journal as a value. `exchange`: the modelled exchange and network.
- `processes`: operations and their next calls. `normal_form`: forgets what nothing depends on.
- `calls`, `surroundings`, `people`: the steps. `world`: all of them. `state`: a state. `setup`: bounds.
- `properties`: what must hold. `search`: looks for states in which it does not.
- `explorations`: what must find no violation. `assumptions`: what happens when one is false. `mutations`: deliberate
  breaks. `commands`: the command line.
"""
