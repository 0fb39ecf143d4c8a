package rollout

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// bucket is where a device is between 0 and 1 in a rollout: the first 8 bytes of the SHA-256 of the salt and its id.
// Each rollout has a salt of its own, so that its first stages are other devices than those of another one.
func bucket(salt, device string) float64 {
	sum := sha256.Sum256([]byte(salt + device))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// share is the part of the devices that are in stage i.
func share(r domain.Rollout, i int) float64 {
	s := r.Plan.Stages[i]
	part := s.Percent / 100
	if s.AtLeast > 0 {
		part = max(part, float64(s.AtLeast)/math.Max(float64(r.Devices), 1))
	}
	return part
}

// StageOf returns the first stage that a device is in.
func StageOf(r domain.Rollout, d domain.DeviceFirmware) (stage int, ok bool) {
	at := bucket(r.Salt, d.Device)
	for i, s := range r.Plan.Stages {
		if at < share(r, i) || s.Tag != "" && slices.Contains(d.Tags, s.Tag) {
			return i, true
		}
	}
	return 0, false
}

const saltsMost = 1000 // that are tried

// Salted returns a rollout that is for some devices, which are there when it begins, with a salt by which its first
// stage has one of them: nobody else would let it go on. It tries few salts for a stage of devices by the dozen. If a
// stage is too small for the salts that it tries, or for any, the salt remains as it is.
func Salted(r domain.Rollout, there []domain.DeviceFirmware) domain.Rollout {
	if len(there) == 0 || share(r, 0) <= 0 {
		return r
	}
	other := r
	for i := range saltsMost {
		if i > 0 {
			other.Salt = r.Salt + "." + strconv.Itoa(i)
		}
		for _, d := range there {
			if stage, ok := StageOf(other, d); ok && stage == 0 {
				return other
			}
		}
	}
	return r
}

// Meant reports whether a rollout is for a device, in whichever stage, and which image the device gets.
func Meant(r domain.Rollout, release domain.Release, d domain.DeviceFirmware) (image domain.FirmwareImage, ok bool) {
	f := d.Report
	image, ok = release.ImageFor(f.Chip, int(f.Revision))
	if !ok || d.Publisher() != r.Owner || !targeted(r.Plan.Target, d) || Excluded(r.Plan.Exclude, d) {
		return image, false
	}
	return image, f.SHA256 != image.SHA256 && f.SecureVersion <= image.SecureVersion && replaces(r, release, f)
}

// replaces reports whether a device may take the release by the numbers of versions.
func replaces(r domain.Rollout, release domain.Release, f domain.FirmwareReport) bool {
	if r.Reverts != "" {
		return f.VersionCode > release.Code
	}
	return f.VersionCode < release.Code && f.VersionCode >= release.MinCode
}

func targeted(t domain.RolloutTarget, d domain.DeviceFirmware) bool {
	f := d.Report
	return (t.Tag == "" || slices.Contains(d.Tags, t.Tag)) && (t.Type == "" || t.Type == d.Type) &&
		(t.Chip == "" || t.Chip == f.Chip) && t.RevisionMin <= int(f.Revision) &&
		(t.RevisionMax == 0 || int(f.Revision) <= t.RevisionMax) &&
		(len(t.Versions) == 0 || slices.Contains(t.Versions, f.Version)) &&
		(len(t.Devices) == 0 || !d.Shared() && slices.Contains(t.Devices, d.Device))
}

// Excluded reports whether a device is left out. No plan names a device of another owner: whoever makes plans does not
// learn which devices have joined.
func Excluded(x domain.RolloutExclusion, d domain.DeviceFirmware) bool {
	f := d.Report
	return x.Shared && d.Shared() || !d.Shared() && slices.Contains(x.Devices, d.Device) ||
		slices.Contains(x.Versions, f.Version) ||
		slices.Contains(x.Revisions, domain.HardwareRevision{Chip: f.Chip, Revision: int(f.Revision)})
}

// Ready reports whether a device that a rollout is for can be told of it now: it is confirmed in what it runs, it is
// updated at this time of day, and it meets what it has told of. What it has not told of, it looks at itself, and so
// it does at how old its nonce is: if that is too old, it says so, and reports anew.
func Ready(r domain.Rollout, d domain.DeviceFirmware, now time.Time) bool {
	f, need := d.Report, r.Plan.Require
	if f.SlotState == domain.SlotPending || f.SlotState == domain.SlotNew {
		return false
	}
	if f.Protocol != domain.OwnProtocol && (need.Battery != 0 || need.Signal != 0 || need.Charging) {
		return false // it cannot look at them
	}
	return (f.Battery == nil || *f.Battery >= need.Battery) && (f.Signal == nil || need.Signal == 0 ||
		*f.Signal >= need.Signal) && (f.Charging == nil || !need.Charging || *f.Charging) && inWindow(r, d, now)
}

// inWindow reports whether devices are updated at this time, by the clock at the device. One that has not told how
// its clock differs from UTC is taken to have none: it goes by UTC.
func inWindow(r domain.Rollout, d domain.DeviceFirmware, now time.Time) bool {
	if len(r.Plan.Windows) == 0 {
		return true
	}
	offset := 0
	if d.Report.UTCOffset != nil {
		offset = *d.Report.UTCOffset
	}
	local := now.UTC().Add(time.Duration(offset) * time.Second)
	for _, w := range r.Plan.Windows {
		start, err := time.Parse("15:04", w.Start)
		if err != nil {
			continue // the plan was checked
		}
		for back := range 2 { // one of yesterday may last until today
			day := local.AddDate(0, 0, -back).Truncate(24 * time.Hour)
			begin := day.Add(time.Duration(start.Hour())*time.Hour + time.Duration(start.Minute())*time.Minute)
			weekday := (int(day.Weekday())+6)%7 + 1
			if slices.Contains(w.Weekdays, weekday) && !local.Before(begin) &&
				local.Before(begin.Add(time.Duration(w.Minutes)*time.Minute)) {
				return true
			}
		}
	}
	return false
}

// A Candidate is a rollout that a device could be offered.
type Candidate struct {
	Rollout domain.Rollout
	Release domain.Release
	Image   domain.FirmwareImage
	Stage   int
}

// Best returns the rollout that a device is to be offered now: of those that are for it, whose stage is open and
// that it is ready for, the one with the newest release. There is no queue: a device never has to take a release on
// its way to another, unless that demands it by its lowest version_code.
func Best(candidates []Candidate, d domain.DeviceFirmware, now time.Time) (best Candidate, ok bool) {
	for _, c := range candidates {
		image, meant := Meant(c.Rollout, c.Release, d)
		stage, in := StageOf(c.Rollout, d)
		if !c.Rollout.State.Offers() || !meant || !in || stage > c.Rollout.Stage || !Ready(c.Rollout, d, now) {
			continue
		}
		c.Image, c.Stage = image, stage
		if !ok || cmp.Or(cmp.Compare(c.Release.Code, best.Release.Code),
			cmp.Compare(c.Rollout.ID, best.Rollout.ID)) > 0 {
			best, ok = c, true
		}
	}
	return best, ok
}
