package activities

import "context"

// Reconciler compares open handoffs with their tickets in their accounts' PSAs.
type Reconciler interface {
	// Reconcile brings open handoffs in step with their tickets, and returns how
	// many were not. Trouble with one account's PSA is no error.
	Reconcile(ctx context.Context) (changed int, err error)
}

// ReconcileReport counts what was out of step.
type ReconcileReport struct {
	Changed int `json:"changed"`
}

// ReconcileTickets finds what people did in the PSAs and no callback told.
func (a *Activities) ReconcileTickets(ctx context.Context) (ReconcileReport, error) {
	if a.maintenance.Tickets == nil {
		return ReconcileReport{}, nil
	}
	changed, err := a.maintenance.Tickets.Reconcile(ctx)
	if err != nil {
		return ReconcileReport{}, forTemporal(err)
	}
	return ReconcileReport{Changed: changed}, nil
}
