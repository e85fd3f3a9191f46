package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/internal/channels"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/email"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

var errNoChannels = models.Errorf(models.CodeNotFound, "This server tells nobody anything.")

// ListDeliveries lists who was told of a handoff.
func (h handlers) ListDeliveries(ctx context.Context, r gen.ListDeliveriesRequestObject) (gen.ListDeliveriesResponseObject, error) {
	rows, err := h.o.Records.Deliveries(plain(ctx), r.ID, r.Hid)
	if err != nil {
		return nil, err
	}
	return gen.ListDeliveries200JSONResponse{Items: convert(rows, delivery)}, nil
}

// RetryDelivery has somebody told again.
func (h handlers) RetryDelivery(ctx context.Context, r gen.RetryDeliveryRequestObject) (gen.RetryDeliveryResponseObject, error) {
	ctx, by := caller(ctx)
	row, err := h.o.Handoffs.RetryDelivery(ctx, by, r.ID, r.Hid, r.Did)
	if err != nil {
		return nil, err
	}
	rows, err := h.o.Records.Deliveries(ctx, r.ID, r.Hid)
	if err != nil {
		return nil, err
	}
	for _, d := range rows {
		if d.ID == row.ID {
			return gen.RetryDelivery202JSONResponse(delivery(d)), nil
		}
	}
	return gen.RetryDelivery202JSONResponse(delivery(models.DeliveryView{Delivery: row})), nil
}

// GetMyNotifications tells how the caller wants to be told.
func (h handlers) GetMyNotifications(ctx context.Context, _ gen.GetMyNotificationsRequestObject) (gen.GetMyNotificationsResponseObject, error) {
	ctx, by := caller(ctx)
	s, _, err := h.o.Records.NotificationSettings(ctx, by.UserID)
	if err != nil {
		return nil, err
	}
	return gen.GetMyNotifications200JSONResponse(notificationSettings(s)), nil
}

// SetMyNotifications changes how the caller is told.
func (h handlers) SetMyNotifications(ctx context.Context, r gen.SetMyNotificationsRequestObject) (gen.SetMyNotificationsResponseObject, error) {
	ctx, by := caller(ctx)
	s, err := readNotificationSettings(deref(r.Body))
	if err != nil {
		return nil, err
	}
	if err := h.o.Records.SaveNotificationSettings(ctx, by.UserID, s); err != nil {
		return nil, err
	}
	if err := h.o.Handoffs.TellRecipient(ctx, by.AccountID, by.UserID.String()); err != nil {
		h.o.Logger.WarnContext(ctx, "What waits for somebody is not decided anew before its time.", "user_id", by.UserID, "error", err)
	}
	return gen.SetMyNotifications200JSONResponse(notificationSettings(s)), nil
}

func readNotificationSettings(body gen.NewNotificationSettings) (s models.NotificationSettings, err error) {
	var wrong fields
	read := func(field string, list *[]gen.ChannelName) []string {
		if list == nil {
			return nil
		}
		names := convert(*list, func(c gen.ChannelName) string { return string(c) })
		if !models.ValidChannels(names) {
			wrong.wrong(field, "names a channel twice")
		}
		return names
	}
	s.Channels = read("/channels", body.Channels)
	p := deref(body.Priorities)
	for name, list := range map[models.Priority]*[]gen.ChannelName{
		models.PriorityLow: p.Low, models.PriorityNormal: p.Normal, models.PriorityHigh: p.High, models.PriorityCritical: p.Critical,
	} {
		if list != nil {
			if s.Priorities == nil {
				s.Priorities = map[string][]string{}
			}
			s.Priorities[name.String()] = read("/priorities/"+name.String(), list)
		}
	}
	s.Zone = deref(body.Zone)
	if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
		wrong.wrong("/zone", "is not the name of a time zone, such as Europe/Berlin")
	}
	if q := body.Quiet; q != nil {
		s.Quiet = &models.QuietHours{From: minutes(q.From), To: minutes(q.To)}
	}
	return s, wrong.err()
}

// minutes reads a time of day that the schema let pass.
func minutes(clock string) int {
	t, _ := time.Parse("15:04", clock)
	return t.Hour()*60 + t.Minute()
}

func notificationSettings(s models.NotificationSettings) gen.NotificationSettings {
	names := func(list []string) *[]gen.ChannelName {
		if list == nil {
			return nil
		}
		all := convert(list, func(n string) gen.ChannelName { return gen.ChannelName(n) })
		return &all
	}
	of := func(p models.Priority) *[]gen.ChannelName { return names(s.Priorities[p.String()]) }
	answer := gen.NotificationSettings{
		Channels: names(s.Channels), Zone: s.Zone, Quiet: nil,
		Priorities: gen.NotificationPriorities{
			Low: of(models.PriorityLow), Normal: of(models.PriorityNormal), High: of(models.PriorityHigh), Critical: of(models.PriorityCritical),
		},
	}
	if answer.Zone == "" {
		answer.Zone = "UTC"
	}
	if q := s.Quiet; q != nil {
		clock := func(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }
		answer.Quiet = &gen.NotificationQuietHours{From: clock(q.From), To: clock(q.To)}
	}
	return answer
}

// ListChannels lists the account's channels.
func (h handlers) ListChannels(ctx context.Context, _ gen.ListChannelsRequestObject) (gen.ListChannelsResponseObject, error) {
	if h.o.Channels == nil {
		return nil, errNoChannels
	}
	rows, err := h.o.Channels.List(plain(ctx))
	if err != nil {
		return nil, err
	}
	return gen.ListChannels200JSONResponse{Items: convert(rows, channel)}, nil
}

// CreateChannel adds a channel.
func (h handlers) CreateChannel(ctx context.Context, r gen.CreateChannelRequestObject) (gen.CreateChannelResponseObject, error) {
	ctx, by := caller(ctx)
	if h.o.Channels == nil {
		return nil, errNoChannels
	}
	change, err := channelChange(deref(r.Body))
	if err != nil {
		return nil, err
	}
	v, err := h.o.Channels.Create(ctx, by, change)
	if err != nil {
		return nil, err
	}
	return gen.CreateChannel201JSONResponse(channel(v)), nil
}

// GetChannel reads a channel.
func (h handlers) GetChannel(ctx context.Context, r gen.GetChannelRequestObject) (gen.GetChannelResponseObject, error) {
	if h.o.Channels == nil {
		return nil, errNoChannels
	}
	v, err := h.o.Channels.Get(plain(ctx), r.Cid)
	if err != nil {
		return nil, err
	}
	return gen.GetChannel200JSONResponse(channel(v)), nil
}

// SetChannel changes a channel.
func (h handlers) SetChannel(ctx context.Context, r gen.SetChannelRequestObject) (gen.SetChannelResponseObject, error) {
	ctx, by := caller(ctx)
	if h.o.Channels == nil {
		return nil, errNoChannels
	}
	change, err := channelChange(deref(r.Body))
	if err != nil {
		return nil, err
	}
	v, err := h.o.Channels.Set(ctx, by, r.Cid, change)
	if err != nil {
		return nil, err
	}
	return gen.SetChannel200JSONResponse(channel(v)), nil
}

// channelDeliveries is how many notifications of a channel are shown.
const channelDeliveries = 50

// ListChannelDeliveries tells what became of a channel's last notifications.
func (h handlers) ListChannelDeliveries(ctx context.Context, r gen.ListChannelDeliveriesRequestObject) (gen.ListChannelDeliveriesResponseObject, error) {
	if h.o.Channels == nil {
		return nil, errNoChannels
	}
	if _, err := h.o.Channels.Get(plain(ctx), r.Cid); err != nil {
		return nil, err
	}
	rows, err := h.o.Records.ChannelDeliveries(plain(ctx), r.Cid, channelDeliveries)
	if err != nil {
		return nil, err
	}
	return gen.ListChannelDeliveries200JSONResponse{Items: convert(rows, func(d models.DeliveryView) gen.ChannelDelivery {
		return gen.ChannelDelivery{
			ID: d.ID, SessionID: d.SessionID, HandoffID: d.HandoffID, Kind: d.Kind, UserID: d.UserID, UserName: d.UserName,
			State: gen.DeliveryState(d.State), Reason: d.Reason, Answer: d.Answer, AnsweredAt: utc(d.AnsweredAt), Attempts: d.Attempts,
			NextAttemptAt: utc(d.NextAttemptAt), HeldUntil: utc(d.HeldUntil), ProviderID: d.ProviderID,
			CreatedAt: d.CreatedAt.UTC(), SentAt: utc(d.DoneAt),
		}
	})}, nil
}

// DeleteChannel removes a channel.
func (h handlers) DeleteChannel(ctx context.Context, r gen.DeleteChannelRequestObject) (gen.DeleteChannelResponseObject, error) {
	ctx, by := caller(ctx)
	if h.o.Channels == nil {
		return nil, errNoChannels
	}
	if err := h.o.Channels.Remove(ctx, by, r.Cid); err != nil {
		return nil, err
	}
	return gen.DeleteChannel204Response{}, nil
}

// TestChannel sends a test message.
func (h handlers) TestChannel(ctx context.Context, r gen.TestChannelRequestObject) (gen.TestChannelResponseObject, error) {
	ctx, by := caller(ctx)
	if h.o.Channels == nil {
		return nil, errNoChannels
	}
	err := h.o.Channels.Test(ctx, by, r.Cid)
	e, its := errors.AsType[*notify.Error](err)
	switch {
	case err == nil:
		return gen.TestChannel200JSONResponse{OK: true, Reason: nil, Cure: nil}, nil
	case its:
		return gen.TestChannel200JSONResponse{OK: false, Reason: orNull(e.Reason), Cure: orNull(e.Cure)}, nil
	}
	return nil, err
}

// channelChange reads what a channel is to be.
func channelChange(body gen.NewChannel) (channels.Change, error) {
	o := deref(body.Options)
	ch := channels.Change{
		Kind: notify.ChannelName(body.Kind), Name: body.Name, Credentials: map[string]secrets.Secret{},
		Settings: channels.Settings{
			Host: deref(o.Host), Security: email.Security(deref(o.Security)), Username: deref(o.Username), From: deref(o.From),
			To: deref(o.To), Direct: deref(o.Direct), UserID: deref(o.UserID),
		},
	}
	if port := deref(o.Port); port > 0 && port <= math.MaxUint16 {
		ch.Settings.Port = uint16(port)
	}
	var wrong fields
	wrong.line("/name", body.Name)
	for name, value := range map[string]*string{"host": o.Host, "username": o.Username, "from": o.From, "to": o.To} {
		if deref(value) != "" {
			wrong.line("/options/"+name, *value)
		}
	}
	c := deref(body.Credentials)
	for name, value := range map[string]*string{
		channels.CredPassword: c.Password, channels.CredToken: c.Token, channels.CredSigningSecret: c.SigningSecret,
		channels.CredURL: c.URL, channels.CredSecret: c.Secret, channels.CredPreviousSecret: c.PreviousSecret,
	} {
		if value != nil {
			wrong.text("/credentials/"+name, *value)
			ch.Credentials[name] = secrets.Secret(*value)
		}
	}
	return ch, wrong.err()
}

func channel(v channels.View) gen.Channel {
	s := v.Settings
	names, _ := channels.Credentials(notify.ChannelName(v.Kind))
	answer := gen.Channel{
		ID: v.ID, Kind: gen.ChannelName(v.Kind), Name: v.Name, Version: v.Version,
		Options: gen.ChannelOptions{
			Host: orNull(s.Host), Port: nil, Security: nil, Username: orNull(s.Username), From: orNull(s.From), To: orNull(s.To), Direct: nil, UserID: nil,
		},
		Credentials: convert(names, func(name string) gen.ChannelCredentialState {
			at, set := v.CredentialsSet[name]
			state := gen.ChannelCredentialState{Name: name, Set: set, SetAt: nil}
			if set {
				state.SetAt = utc(&at)
			}
			return state
		}),
		Secret: orNull(v.Secret.Reveal()), State: gen.ChannelState(v.State), Reason: v.Reason, Cure: v.Cure,
		StateAt: v.StateAt.UTC(), CreatedAt: v.CreatedAt.UTC(), UpdatedAt: v.UpdatedAt.UTC(),
	}
	switch notify.ChannelName(v.Kind) {
	case notify.ChannelEmail:
		answer.Options.Port = new(int(s.Port))
		if s.Security != "" {
			answer.Options.Security = new(gen.ChannelOptionsSecurity(s.Security))
		}
	case notify.ChannelSlack:
		answer.Options.Direct = new(s.Direct)
	case notify.ChannelTeams, notify.ChannelWebhook:
		if s.UserID != uuid.Nil {
			answer.Options.UserID = &s.UserID
		}
	}
	return answer
}

func delivery(d models.DeliveryView) gen.Delivery {
	return gen.Delivery{
		ID: d.ID, Kind: d.Kind, Step: d.Step, Generation: d.Generation, Because: d.Because, UserID: d.UserID, UserName: d.UserName,
		ChannelID: d.EndpointID, ChannelName: d.EndpointName, Channel: gen.ChannelName(d.Channel), State: gen.DeliveryState(d.State),
		Reason: d.Reason, Attempts: d.Attempts, NextAttemptAt: utc(d.NextAttemptAt), HeldUntil: utc(d.HeldUntil),
		Bundled: d.BundleID != nil, ProviderID: d.ProviderID, CreatedAt: d.CreatedAt.UTC(), SentAt: utc(d.DoneAt),
	}
}

func notifications(counts map[models.DeliveryState]int) gen.Notifications {
	return gen.Notifications{
		Pending: counts[models.DeliveryPending], Held: counts[models.DeliveryHeld], Retrying: counts[models.DeliveryRetrying],
		Done: counts[models.DeliveryDone], Failed: counts[models.DeliveryFailed], Skipped: counts[models.DeliverySkipped],
	}
}
