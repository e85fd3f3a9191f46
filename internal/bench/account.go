package bench

import (
	"context"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// manyAccounts is how many accounts the same writers are spread over.
const manyAccounts = 8

// measureAccount shows how many decisions a second can be projected for one
// account, whose feed gives out its numbers one after another, and for several.
func measureAccount(ctx context.Context, b *bench) ([]Row, error) {
	db, err := store.Open(ctx, b.installed.databaseURL, store.Options{MaxConns: inParallel})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	people := make([]models.Principal, manyAccounts)
	for i := range people {
		account, subject := uuid.New(), uuid.NewString()
		if err := db.EnsureAccount(ctx, models.Account{ID: account, Name: "One of many"}); err != nil {
			return nil, err
		}
		u, err := db.ProvisionUser(ctx, models.User{AccountID: account, Email: subject + "@bench.test", Name: "Sam", Role: models.RoleEngineer, Subject: &subject})
		if err != nil {
			return nil, err
		}
		people[i] = models.Principal{UserID: u.ID, AccountID: account, Role: u.Role}
	}
	rounds := make([]round, b.Sizes.Rounds)
	for i := range rounds {
		one, err := projections(ctx, db, people[:1], b.Sizes.Projections)
		if err != nil {
			return nil, err
		}
		many, err := projections(ctx, db, people, b.Sizes.Projections)
		if err != nil {
			return nil, err
		}
		rounds[i] = round{baton: []float64{one}, floor: []float64{many}}
	}
	return []Row{ratioRow("decisions projected a second, of one account ÷ of eight", "/s", rounds, 0.5, 0,
		"the store alone, 16 writers, each decision of another handoff; here more is better")}, nil
}

// projections says how many of n decisions are projected a second.
func projections(ctx context.Context, db *store.Store, people []models.Principal, n int) (float64, error) {
	snaps := make([]models.Snapshot, n)
	err := each(ctx, n, func(ctx context.Context, i int) error {
		by := people[i%len(people)]
		ctx = tenant.With(ctx, by.AccountID)
		session, err := db.CreateSession(ctx, by, models.NewSession{Title: "Outlook does not sync", ClientName: "Larch Dental"})
		if err != nil {
			return err
		}
		row, err := db.PrepareHandoff(ctx, by, models.NewHandoff{SessionID: session.ID, Intent: models.IntentEscalate, Priority: models.PriorityHigh})
		if err != nil {
			return err
		}
		snaps[i] = workflows.Begin(workflows.HandoffInput{
			AccountID: row.AccountID, SessionID: row.SessionID, HandoffID: row.ID,
			Intent: row.Intent, Priority: row.Priority, SenderID: row.HandedOffBy, CreatedAt: row.CreatedAt,
		})
		return nil
	})
	if err != nil {
		return 0, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inParallel)
	began := time.Now()
	for _, snap := range snaps {
		group.Go(func() error {
			_, err := db.Project(tenant.With(ctx, snap.AccountID), snap)
			return err
		})
	}
	err = group.Wait()
	return float64(n) / time.Since(began).Seconds(), err
}
