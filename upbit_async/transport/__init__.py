"""Transport of one call to Upbit: connection pool, rate limit, attempts, meaning of the answer.

What happens between `Transport.call` and its return. Every column is one module. A guard, which only payouts use, is
called in 3 and 4; `upbit_async.payouts` shows what it does there.

```text
resource            http_transport          attempt                http_port            HTTP library
   │  call(endpoint)      │                    │                       │                     │
   ├─────────────────────▶│ compose, cooldown  │                       │                     │
   │                      ├───── attempt ─────▶│                       │                     │
   │                      │                    │ 1 slot of the pool    │                     │
   │                      │                    │ 2 ticket of the limiter                     │
   │                      │                    │ 3 guard: record_departure    (PREPARED)     │
   │                      │                    ├──── send ────────────▶│ sign                │
   │                      │                    │                       ├──── request ───────▶│ (SENDING)
   │                      │                    │◀─── hooks ────────────┼──── trace ──────────┤ connect, TLS
   │                      │                    │ 4 ban? guard: may_send? cancelled?          │
   │                      │                    ├──── or Withheld ──────┼────────────────────▶│ first byte (SENT)
   │                      │                    │                       │◀─── response ───────┤
   │                      │                    │◀── Answer, NoAnswer ──┤ read it  (ANSWERED) │
   │                      │                    │ 5 classify; tell limiter, penalty box       │
   │                      │                    │ 6 release slot; close an unclean connection │
   │                      │◀──── Outcome ──────┤                       │                     │
   │                      │ 7 decode, check; or retry; or build the error                    │
   │◀─ value or error ────┤                    │                       │                     │
```

Where cancellation can strike:

- In 1 and 2, and before a retry: at once. Nothing was sent.
- In 3: after the guard has returned, so that its record is complete. Nothing is sent then.
- From 3 to the first byte: the request is stopped, and its connection is closed. A cancellation in the same step of
  the event loop as the first byte comes after it.
- After the first byte, a request that must not happen twice is finished in a separate task, and its outcome becomes the
  event `AnswerAfterCancellation`. Any other request is stopped; one through an injected client ends by itself.

Files, from the outside in: `http_transport` (retry loop) · `attempt` · `http_port` (adapter to the HTTP library) with
`request_progress` and `connection_check` · `connection_pool`, `limiter`, `penalty_box` and `cooldowns` (`key_state`
shares the last three among all clients of one key) · `decoding` and `failures` (what an answer means) · `assembly`.
"""
