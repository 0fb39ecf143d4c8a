package devices

// Inherit lets tests give a device defaults that were decided on before something else happened.
var Inherit = (*Settings).inherit
