package manifest

// A Code says why a document or an offer is refused. It is what devices report; errors of this package wrap
// it, and say more.
type Code string

// The codes, in the order in which a device checks.
const (
	BadDocument     Code = "bad_document"      // not understood
	BadRoot         Code = "bad_root"          // a root that does not follow from the trusted one
	RootExpired     Code = "root_expired"      //
	BadSignature    Code = "bad_signature"     // fewer signatures of a manifest than needed
	WrongProduct    Code = "wrong_product"     // of a manifest, a root or an offer
	BadOffer        Code = "bad_offer"         // the signature of an offer
	WrongDevice     Code = "wrong_device"      //
	WrongNonce      Code = "wrong_nonce"       // replayed, or for an earlier question
	OfferExpired    Code = "offer_expired"     //
	WrongManifest   Code = "wrong_manifest"    // another one than the offer names
	ManifestExpired Code = "manifest_expired"  //
	WrongChip       Code = "wrong_chip"        //
	WrongRevision   Code = "wrong_revision"    //
	Downgrade       Code = "downgrade"         // below the lowest version that the device accepts
	TooOld          Code = "too_old"           // the device's own version: it needs another release first
	SecureVersion   Code = "secure_version"    // below the device's
	WrongSize       Code = "wrong_size"        // of the image, or larger than the device's slot
	WrongImage      Code = "wrong_image_bytes" // their SHA-256
)

var codeTexts = map[Code]string{
	BadDocument:     "this is no document that can be understood",
	BadRoot:         "the root does not follow from the trusted one",
	RootExpired:     "the root has expired",
	BadSignature:    "the manifest has too few valid signatures",
	WrongProduct:    "it is for another product",
	BadOffer:        "the offer has no valid signature",
	WrongDevice:     "the offer is for another device",
	WrongNonce:      "the offer is not for the device's latest question",
	OfferExpired:    "the offer has expired",
	WrongManifest:   "the manifest is not the one of the offer",
	ManifestExpired: "the manifest has expired",
	WrongChip:       "there is no image for this chip",
	WrongRevision:   "there is no image for this hardware revision",
	Downgrade:       "the version is older than the device may take",
	TooOld:          "the device's version is too old for this release",
	SecureVersion:   "the secure version is older than the device's",
	WrongSize:       "the image has another size, or does not fit",
	WrongImage:      "the image is not the one of the manifest",
}

func (c Code) Error() string { return codeTexts[c] }
