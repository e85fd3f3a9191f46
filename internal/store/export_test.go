package store

// HandoffWaitsSQL is the statement of HandoffWaits, for its plan.
const HandoffWaitsSQL = handoffWaits
