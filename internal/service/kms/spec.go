package kms

import "slices"

// Key usages, states, managers and the one origin, in the model's spelling.
const (
	usageEncrypt   = "ENCRYPT_DECRYPT"
	usageSign      = "SIGN_VERIFY"
	usageMAC       = "GENERATE_VERIFY_MAC"
	usageAgreement = "KEY_AGREEMENT"

	stateEnabled  = "Enabled"
	stateDisabled = "Disabled"
	statePending  = "PendingDeletion"

	managerCustomer = "CUSTOMER"
	managerAWS      = "AWS"
	managerOwned    = "OWNED" // shown as AWS to the few who may see it

	originKMS = "AWS_KMS"

	symmetric = "SYMMETRIC_DEFAULT"
)

// spec is what a kind of key can do.
type spec struct {
	usages []string // allowed values of KeyUsage
	sign   []string
	crypt  []string
	mac    []string
	agree  []string
	size   int // bytes of a secret, bits of an RSA modulus; 0 = by the curve
}

// rsaSign are the signature schemes of every RSA key.
var rsaSign = []string{
	"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
	"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
}

// rsaUsages are what an RSA key may be made for.
var rsaUsages = []string{usageEncrypt, usageSign}

// rsaCrypt are the encryption schemes of every RSA key.
var rsaCrypt = []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}

// specs are the key specs that can be made here.
//
// Source: KMS Developer Guide, "Key spec reference".
var specs = map[string]spec{
	symmetric:  {usages: []string{usageEncrypt}, crypt: []string{symmetric}, size: 32},
	"RSA_2048": {usages: rsaUsages, sign: rsaSign, crypt: rsaCrypt, size: 2048},
	"RSA_3072": {usages: rsaUsages, sign: rsaSign, crypt: rsaCrypt, size: 3072},
	"RSA_4096": {usages: rsaUsages, sign: rsaSign, crypt: rsaCrypt, size: 4096},
	"ECC_NIST_P256": {
		usages: []string{usageSign, usageAgreement},
		sign:   []string{"ECDSA_SHA_256"}, agree: []string{"ECDH"},
	},
	"ECC_NIST_P384": {
		usages: []string{usageSign, usageAgreement},
		sign:   []string{"ECDSA_SHA_384"}, agree: []string{"ECDH"},
	},
	"ECC_NIST_P521": {
		usages: []string{usageSign, usageAgreement},
		sign:   []string{"ECDSA_SHA_512"}, agree: []string{"ECDH"},
	},
	"ECC_NIST_EDWARDS25519": {
		usages: []string{usageSign},
		sign:   []string{"ED25519_SHA_512", "ED25519_PH_SHA_512"},
	},
	"HMAC_224": {usages: []string{usageMAC}, mac: []string{"HMAC_SHA_224"}, size: 28},
	"HMAC_256": {usages: []string{usageMAC}, mac: []string{"HMAC_SHA_256"}, size: 32},
	"HMAC_384": {usages: []string{usageMAC}, mac: []string{"HMAC_SHA_384"}, size: 48},
	"HMAC_512": {usages: []string{usageMAC}, mac: []string{"HMAC_SHA_512"}, size: 64},
}

// chooseSpec applies CreateKey's defaults and rules to spec and usage.
func chooseSpec(keySpec, legacySpec, usage string) (string, string, error) {
	switch {
	case keySpec != "" && legacySpec != "":
		return "", "", invalid("You cannot specify KeySpec and CustomerMasterKeySpec in the same " +
			"request. CustomerMasterKeySpec is deprecated.")
	case keySpec == "":
		keySpec = legacySpec
	}
	if keySpec == "" {
		keySpec = symmetric
	}
	sp, ok := specs[keySpec]
	if !ok {
		return "", "", unsupported("The key spec %s is not implemented by Coffer.", keySpec)
	}
	if usage == "" {
		if keySpec != symmetric {
			return "", "", invalid("You must specify a KeyUsage value for all KMS keys except " +
				"for symmetric encryption keys.")
		}
		usage = usageEncrypt
	}
	if !slices.Contains(sp.usages, usage) {
		return "", "", invalid("KeyUsage %s is not compatible with KeySpec %s", usage, keySpec)
	}
	return keySpec, usage, nil
}

// grantable are the operations that a grant may have on every key.
var grantable = []string{"CreateGrant", "DescribeKey", "RetireGrant"}

// grantableBy are those that the usage of the key adds.
var grantableBy = map[string][]string{
	usageSign:      {"Sign", "Verify", "GetPublicKey"},
	usageMAC:       {"GenerateMac", "VerifyMac"},
	usageAgreement: {"DeriveSharedSecret", "GetPublicKey"},
	usageEncrypt:   {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"},
}

// grantableSymmetric are those that only a symmetric key has, and
// grantablePublic that only an asymmetric one has among those for encryption.
var (
	grantableSymmetric = []string{
		"GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
		"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
	}
	grantablePublic = []string{"GetPublicKey"}
)

// canGrant reports whether a grant on a key of this kind may have op.
func canGrant(keySpec, usage, op string) bool {
	if slices.Contains(grantable, op) || slices.Contains(grantableBy[usage], op) {
		return true
	}
	if keySpec == symmetric {
		return slices.Contains(grantableSymmetric, op)
	}
	return usage == usageEncrypt && slices.Contains(grantablePublic, op)
}
