package wire

import (
	"encoding/json"
	"time"
)

// Report tells what a device has measured: readings of one time, or reports of several.
type Report struct {
	Boot      *uint64                    `json:"boot,omitempty" doc:"names the boot in which numbers count; never used again by the device"`
	Seq       *uint32                    `json:"seq,omitempty" doc:"number of the report within the boot, from 0; a number that comes again is stored once"`
	At        time.Time                  `json:"at,omitempty,omitzero" doc:"absent: now"`
	Old       bool                       `json:"old,omitempty" doc:"it was buffered: it moves no live value, and raises no alarm"`
	Readings  map[string]json.RawMessage `json:"readings,omitempty" doc:"by the name of the sensor: a number, true, false or a text"`
	Reports   []ReportItem               `json:"reports,omitempty" maxItems:"10000" doc:"instead of readings"`
	SenML     json.RawMessage            `json:"senml,omitempty" doc:"instead of readings: a SenML pack (RFC 8428) in JSON"`
	SenMLCBOR string                     `json:"senml_cbor,omitempty" doc:"instead of readings: a SenML pack in CBOR, in base64"`
	Packed    string                     `json:"packed,omitempty" doc:"instead of all other fields: a packed batch, in base64; see packed.md"`
	Uptime    *int64                     `json:"uptime,omitempty" doc:"milliseconds since the boot, when this was sent; for reports with uptime"`
	Anchors   []Anchor                   `json:"anchors,omitempty" maxItems:"64" doc:"when the clock was right in that boot; for reports with uptime"`
	Units     map[string]string          `json:"units,omitempty" doc:"of sensors that were not described"`
}

// ReportItem is what was measured at one time.
type ReportItem struct {
	Seq      *uint32                    `json:"seq,omitempty"`
	At       time.Time                  `json:"at,omitempty,omitzero"`
	Uptime   *int64                     `json:"uptime,omitempty" doc:"instead of at: milliseconds since the boot, when it was measured"`
	Old      bool                       `json:"old,omitempty"`
	Readings map[string]json.RawMessage `json:"readings"`
}

// Anchor says what time it was when the uptime of a device was that.
type Anchor struct {
	Uptime int64     `json:"uptime" doc:"milliseconds since the boot"`
	At     time.Time `json:"at"`
}

// Reported says what became of reports. All that is accepted, duplicate or refused need not be
// sent again.
type Reported struct {
	Accepted     int        `json:"accepted" doc:"reports that are new; a numbered one counts also if all of its readings were refused"`
	Duplicate    int        `json:"duplicate,omitempty" doc:"reports that were stored before"`
	AckedThrough *uint32    `json:"acked_through,omitempty" doc:"last number of the boot up to which there is no gap"`
	Missing      [][]uint32 `json:"missing,omitempty" doc:"the first gaps, at most 16: first and last number of each"`
	Refused      []Refusal  `json:"refused,omitempty" doc:"what was refused for good; each once"`
}

// Refusal says why a reading was not stored, or a whole report if it has no name.
type Refusal struct {
	Name   string `json:"name,omitempty"`
	Reason string `json:"reason" enum:"not_finite,future,too_old,bad_name,bad_unit,bad_text,many_texts,undeclared,wrong_kind,twice,conflict,too_many_gaps"`
}

// WatchReadings replaces the devices whose readings the client wants to be told.
type WatchReadings struct {
	Devices []string `json:"devices" maxItems:"100"`
}

// WatchedReadings has the last values of devices.
type WatchedReadings struct {
	Devices []DeviceReadings `json:"devices"`
}

// DeviceReadings are values of a device: the latest of each, or what is new of them. A device is told
// of at most once a second.
type DeviceReadings struct {
	Device string         `json:"device"`
	At     time.Time      `json:"at,omitempty,omitzero" doc:"of the newest value; absent: there is none"`
	Values map[string]any `json:"values" doc:"by the name of the sensor: a number, true, false or a text"`
}
