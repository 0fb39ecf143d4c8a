package domain

// A DeviceImport is a device as a line of an import describes it.
type DeviceImport struct {
	DeviceChange           // what it says; Suspend is not used
	Key          DeviceKey // for the device that is made of it, which Key.Device names
	Secret       DeviceSecret
	Template     *NamedTemplate // of a device that is made; nil: none
}

// DeviceImported is what became of a line of an import.
type DeviceImported struct {
	Device Device // empty if Err is not nil
	Result ImportResult
	Err    error // why nothing was done
}

// ImportResult is what an import did with a device.
type ImportResult string

// The results of lines of an import.
const (
	ImportCreated   ImportResult = "created"
	ImportUpdated   ImportResult = "updated"   // it was there, and differed
	ImportUnchanged ImportResult = "unchanged" // it was there, as the line says
	ImportNewKey    ImportResult = "new_key"   // it was there, had never connected or no key left, and got another one
	ImportFailed    ImportResult = "failed"    // nothing was done
)
