package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/internal/connections"
	port "github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

// maxCallback bounds the body of a PSA's callback, in bytes.
const maxCallback = 64 << 10

var errNoConnections = models.Errorf(models.CodeNotFound, "This server connects to no PSAs.")

// ListPSAKinds lists the PSAs that can be connected.
func (h handlers) ListPSAKinds(context.Context, gen.ListPSAKindsRequestObject) (gen.ListPSAKindsResponseObject, error) {
	return gen.ListPSAKinds200JSONResponse{Items: convert(connections.Kinds(), psaKind)}, nil
}

// GetPSAConnection reads the account's connection.
func (h handlers) GetPSAConnection(ctx context.Context, _ gen.GetPSAConnectionRequestObject) (gen.GetPSAConnectionResponseObject, error) {
	if h.o.Connections == nil {
		return nil, errNoConnections
	}
	view, err := h.o.Connections.Get(plain(ctx))
	if err != nil {
		return nil, err
	}
	return gen.GetPSAConnection200JSONResponse(psaConnection(view)), nil
}

// SetPSAConnection makes the account's connection what the body says.
func (h handlers) SetPSAConnection(ctx context.Context, r gen.SetPSAConnectionRequestObject) (gen.SetPSAConnectionResponseObject, error) {
	ctx, by := caller(ctx)
	if h.o.Connections == nil {
		return nil, errNoConnections
	}
	change, err := psaChange("", deref(r.Body))
	if err != nil {
		return nil, err
	}
	view, err := h.o.Connections.Set(ctx, by, change)
	if err != nil {
		return nil, err
	}
	return gen.SetPSAConnection200JSONResponse(psaConnection(view)), nil
}

// DeletePSAConnection forgets the account's connection.
func (h handlers) DeletePSAConnection(ctx context.Context, _ gen.DeletePSAConnectionRequestObject) (gen.DeletePSAConnectionResponseObject, error) {
	ctx, by := caller(ctx)
	if h.o.Connections == nil {
		return nil, errNoConnections
	}
	if err := h.o.Connections.Remove(ctx, by); err != nil {
		return nil, err
	}
	return gen.DeletePSAConnection204Response{}, nil
}

// TestPSAConnection tries a connection.
func (h handlers) TestPSAConnection(ctx context.Context, r gen.TestPSAConnectionRequestObject) (gen.TestPSAConnectionResponseObject, error) {
	ctx, by := caller(ctx)
	if h.o.Connections == nil {
		return nil, errNoConnections
	}
	body := deref(r.Body)
	var wrong fields
	if body.Ticket != nil {
		wrong.line("/ticket", *body.Ticket)
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	var change *connections.Change
	if body.Connection != nil {
		ch, err := psaChange("/connection", *body.Connection)
		if err != nil {
			return nil, err
		}
		change = &ch
	}
	report, err := h.o.Connections.Test(ctx, by, change, deref(body.Ticket))
	if err != nil {
		return nil, under("/connection", err)
	}
	return gen.TestPSAConnection200JSONResponse{OK: report.OK(), Items: convert(report.Items, psaCheckItem)}, nil
}

// psaCallback takes the call of a PSA, whose body only its adapter can read.
func (s *Server) psaCallback(c *gin.Context) {
	if s.o.Connections == nil {
		s.fail(c, errNoConnections)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxCallback))
	if err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); !errors.As(err, &tooLarge) {
			err = models.Errorf(models.CodeUnavailable, "The body did not arrive completely.").WithCause(err)
		}
		s.fail(c, err)
		return
	}
	if err := s.o.Connections.Callback(c.Request.Context(), c.Param("token"), c.Request.Header, body); err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}

// under moves the fields that an error names to where they are in the body.
func under(place string, err error) error {
	var e *models.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return err
	}
	moved := *e
	moved.Fields = make([]models.FieldError, len(e.Fields))
	for i, f := range e.Fields {
		moved.Fields[i] = models.FieldError{Field: place + f.Field, Message: f.Message}
	}
	return &moved
}

// psaChange reads what is at place in a body.
func psaChange(place string, body gen.NewPSAConnection) (connections.Change, error) {
	o := deref(body.Options)
	ch := connections.Change{
		Kind: port.Kind(body.Kind), Address: deref(body.Address), Credentials: port.Credentials{},
		Settings: connections.Settings{
			Options: port.Options{
				Status: map[port.StepName]string{}, SetOwner: deref(o.SetOwner), Notes: port.Visibility(deref(o.Notes)),
				OutcomeID: deref(o.OutcomeID), NoteType: deref(o.NoteType), InternalLabel: deref(o.InternalLabel),
				CustomerLabel: deref(o.CustomerLabel), OwnerRoleID: deref(o.OwnerRoleID), APIVersion: deref(o.APIVersion),
			},
			CancelClosed: deref(o.CancelClosed),
		},
	}
	var wrong fields
	wrong.note(place+"/address", ch.Address)
	status := deref(o.Status)
	for name, value := range map[port.StepName]*string{
		port.StepEscalated: status.Escalated, port.StepClaimed: status.Claimed,
		port.StepReleased: status.Released, port.StepResolved: status.Resolved,
	} {
		if deref(value) != "" {
			wrong.line(place+"/options/status/"+string(name), *value)
			ch.Settings.Status[name] = *value
		}
	}
	for name, value := range map[string]string{
		"note_type": ch.Settings.NoteType, "internal_label": ch.Settings.InternalLabel, "customer_label": ch.Settings.CustomerLabel,
	} {
		if value != "" {
			wrong.line(place+"/options/"+name, value)
		}
	}
	c := deref(body.Credentials)
	for name, value := range map[string]*string{
		port.CredCompanyID: c.CompanyID, port.CredPublicKey: c.PublicKey, port.CredPrivateKey: c.PrivateKey,
		port.CredClientID: c.ClientID, port.CredClientSecret: c.ClientSecret, port.CredTenant: c.Tenant,
		port.CredUsername: c.Username, port.CredSecret: c.Secret, port.CredIntegrationCode: c.IntegrationCode,
		port.CredWebhookSecret: c.WebhookSecret,
	} {
		if value != nil {
			wrong.text(place+"/credentials/"+name, *value)
			ch.Credentials[name] = secrets.Secret(*value)
		}
	}
	slices.SortFunc(wrong, func(a, b models.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return ch, wrong.err()
}

func psaKind(k port.Kind) gen.PSAKind {
	return gen.PSAKind{
		Kind: gen.PSAKindName(k), Title: k.Title(), NeedsAddress: k != port.KindAutotask,
		Credentials: convert(port.Fields(k), func(f port.Field) gen.PSACredentialField {
			return gen.PSACredentialField{Name: f.Name, Title: f.Title, Required: f.Required, Help: f.Help}
		}),
	}
}

func psaConnection(v connections.View) gen.PSAConnection {
	kind := port.Kind(v.Kind)
	o := v.Settings
	notes := o.Notes
	if notes == "" {
		notes = port.VisibilityInternal
	}
	return gen.PSAConnection{
		Kind: gen.PSAKindName(kind), Title: kind.Title(), Address: v.Address,
		Credentials: convert(port.Fields(kind), func(f port.Field) gen.PSACredentialState {
			state := gen.PSACredentialState{Name: f.Name, Set: false, SetAt: nil}
			if at, set := v.CredentialsSet[f.Name]; set {
				state.Set, state.SetAt = true, utc(&at)
			}
			return state
		}),
		Options: gen.PSAOptions{
			Status: gen.PSAStatusNames{
				Escalated: orNull(o.StatusFor(port.StepEscalated)), Claimed: orNull(o.StatusFor(port.StepClaimed)),
				Released: orNull(o.StatusFor(port.StepReleased)), Resolved: orNull(o.StatusFor(port.StepResolved)),
			},
			SetOwner: o.SetOwner, Notes: gen.PSAVisibility(notes), CancelClosed: o.CancelClosed, OutcomeID: o.OutcomeID,
			NoteType: o.NoteType, InternalLabel: o.InternalLabel, CustomerLabel: o.CustomerLabel,
			OwnerRoleID: o.OwnerRoleID, APIVersion: o.APIVersion,
		},
		Version: v.Version, State: gen.PSAConnectionState(v.State), Reason: v.Reason, Cure: v.Cure, StateAt: v.StateAt.UTC(),
		CallbackPath: orNull(v.CallbackPath), CallbackURL: orNull(v.CallbackURL),
		CreatedAt: v.CreatedAt.UTC(), UpdatedAt: v.UpdatedAt.UTC(), UpdatedBy: v.UpdatedBy, UpdatedByName: v.UpdatedByName,
	}
}

func psaCheckItem(i port.CheckItem) gen.PSACheckItem {
	return gen.PSACheckItem{Name: i.Name, State: gen.PSACheckState(i.State), Detail: i.Detail, Cure: orNull(i.Cure)}
}
