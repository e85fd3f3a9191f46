// Package bench is the instrument that shows how fast Baton is. Each scenario
// measures something of Baton side by side with its floor: the least that
// anybody would have to do for it, written as well as it can be. What it
// reports is ratios, because milliseconds are a property of the machine.
//
// Fairness, which everything here is about:
//
//   - Baton and its floor alternate, operation by operation or round by round,
//     and who comes first alternates too. Whatever disturbs the machine
//     disturbs both.
//   - Both talk to the same servers, with the same client code, over connections
//     that are open, to workers and caches that are warm.
//   - Both have the same processes. Where requests are measured, the client, the
//     API and the worker of Baton are in one process, and so are the client and
//     the worker of the bare SDK, in the same one. Where streams are measured,
//     Baton's API, the bare server and the readers of each are processes of their
//     own, because memory is counted by process and readers cost more than
//     servers.
//   - Nothing is measured while the operation before it still has work under
//     way: a claim leaves its projection behind, which would be charged to
//     whoever comes next.
//   - Quantiles are taken in each round. A row shows the median over the rounds,
//     and the least and the greatest as its spread.
package bench
