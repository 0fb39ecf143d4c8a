package domain

import "time"

// RolloutRules decide about rollouts. Its methods are functions of their arguments, and of releases that never change:
// they may be called more than once for one decision.
type RolloutRules interface {
	// Judge decides how a rollout goes on, and Room how many offers it may make until it is judged again.
	Judge(r Rollout, c RolloutCounts, waiting bool, now time.Time) Rollout
	Room(r Rollout, c RolloutCounts) int
	// Salted returns a rollout that begins, with a salt by which its first stage has one of the devices that are there,
	// if one can be found.
	Salted(r Rollout, there []DeviceFirmware) Rollout
	// Meant reports whether a rollout is for a device, in whichever stage, and Excluded whether it leaves it out.
	Meant(r Rollout, d DeviceFirmware) bool
	Excluded(r Rollout, u Update) bool
	// Pick returns what a device is offered now, of some rollouts; had are its updates by their rollouts.
	Pick(of []Rollout, d DeviceFirmware, had map[string]Update, now time.Time) (Update, bool)
	// Connected returns how often a device connects that has come to the connection session.
	Connected(c ConnectRate, session int64, now time.Time) ConnectRate
	// The others say what becomes of an update: of what its device runs and says, of its time being up, and of its
	// rollout being paused, having ended or leaving the device out.
	Reported(u Update, r Rollout, f FirmwareReport, started bool, now time.Time) Update
	Progressed(u Update, r Rollout, p FirmwareProgress, now time.Time) (Update, FirmwareAnswer)
	Late(u Update, r Rollout, present bool, now time.Time) Update
	Stop(u Update, r Rollout, now time.Time) Update
}

// RolloutDecided is what was decided about a rollout.
type RolloutDecided struct {
	Before, After Rollout
	Offers        []Update // that were made
	Ended         []Update
}

// Changed reports whether people are to be told.
func (d RolloutDecided) Changed() bool {
	return d.Before.State != d.After.State || d.Before.Stage != d.After.Stage
}

// End adds an update if it has ended.
func (d *RolloutDecided) End(u Update) {
	if !u.State.Open() {
		d.Ended = append(d.Ended, u)
	}
}

// UpdatesHeard is what became of what a device said of its firmware.
type UpdatesHeard struct {
	Offer   *Update // that the device is to be told of; nil: none
	Changed []Update
}

// OfferTo is what an offer is made of.
type OfferTo struct {
	Product string // id
	Release Release
	Image   string // SHA-256 of that which is for the device
	Device  DeviceFirmware
	Rollout string // ids
	Update  string
}
