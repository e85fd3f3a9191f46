package psa

import (
	"cmp"
	"slices"
	"strings"
)

// FindStatus finds a status by its name, ignoring case and spaces around it.
func FindStatus(all []Status, name string) (Status, bool) {
	for _, s := range all {
		if strings.EqualFold(strings.TrimSpace(s.Name), strings.TrimSpace(name)) {
			return s, true
		}
	}
	return Status{}, false
}

// FindMember finds the member that p is.
func FindMember(all []Member, p Person) (Member, bool) {
	for _, m := range all {
		if p.Matches(m) {
			return m, true
		}
	}
	return Member{}, false
}

// UnknownStatus is the error of a status name that a board does not have.
func UnknownStatus(k Kind, name string, board Ref, has []Status) *Error {
	where := "there"
	if board.Name != "" {
		where = "on " + Safe(board.Name)
	}
	return Errorf(ClassRejected, "setting the status", "%s has no status %q %s.", k.Title(), Safe(name), where).
		WithCure("Add it there, or choose another one in the connection; it has %s.", list(statusNames(has)))
}

// UnknownMember is the error of a person whom the PSA does not know.
func UnknownMember(k Kind, p Person) *Error {
	return Errorf(ClassRejected, "setting the owner", "%s knows no active engineer %q.", k.Title(), Safe(p.String())).
		WithCure("Give both the same e-mail address, or enter the engineer's identifier in Baton.")
}

// Changed compares a ticket with the status and the owner that were set; a zero
// one was not. Its error is that of a PSA that said yes and did nothing.
func Changed(k Kind, t Ticket, status Status, owner Member) error {
	what, wanted, is := "status", status.Name, t.Status.Name
	switch {
	case status.ID != "" && t.Status.ID != status.ID:
	case owner.ID != "" && t.Owner.ID != owner.ID:
		what, wanted, is = "owner", owner.Name, t.Owner.Name
	default:
		return nil
	}
	return Errorf(ClassRejected, "setting the "+what, "%s accepted the %s %q, but the ticket has %q.", k.Title(), what, Safe(wanted), Safe(cmp.Or(is, "none"))).
		WithCure("A workflow rule of the PSA may have changed it back. Look at the ticket, then retry.")
}

func statusNames(all []Status) []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = Safe(s.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// list names things in a sentence, not too many.
func list(names []string) string {
	const most = 12
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		return strings.Join(names[:most], ", ") + " and more"
	}
	return strings.Join(names, ", ")
}

// BoardStatuses are the statuses of one board.
type BoardStatuses struct {
	Board    Ref
	Statuses []Status
}

// CheckStatuses adds to a report whether the statuses that the options name
// exist on the boards.
func CheckStatuses(r *Report, k Kind, o Options, boards []BoardStatuses) {
	for _, step := range StepNames() {
		name := o.StatusFor(step)
		if name == "" {
			continue
		}
		var missing, known []string
		for _, b := range boards {
			if _, ok := FindStatus(b.Statuses, name); !ok {
				missing = append(missing, Safe(b.Board.Name))
			}
			known = append(known, statusNames(b.Statuses)...)
		}
		slices.Sort(known)
		known = slices.Compact(known)
		item := "status." + string(step)
		switch {
		case len(boards) == 0:
			r.Skipped(item, "Without a ticket or board that can be read, the statuses are not known.", "Mend what failed above first.")
		case len(missing) == len(boards):
			r.Items = append(r.Items, CheckItem{
				Name: item, State: CheckFailed,
				Detail: k.Title() + " has no status \"" + Safe(name) + "\".",
				Cure:   "Choose one of: " + list(known) + ".",
			})
		case len(missing) > 0:
			slices.Sort(missing)
			r.Warned(item, "The status \""+Safe(name)+"\" is missing on: "+list(missing)+".",
				"Add it there if tickets of these are handed off.")
		default:
			r.Passed(item, "The status \""+Safe(name)+"\" is there.")
		}
	}
}
