// What a stranger writes with npm's `jose`: the keys from the service, one audience, one issuer. One JSON line for each token.
import { createRemoteJWKSet, jwtVerify } from 'jose'

const { jwks, tokens, ...expected } = JSON.parse(process.argv[2])
const keys = createRemoteJWKSet(new URL(jwks))

for (const token of tokens) {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, expected)
    console.log(JSON.stringify({ good: true, alg: protectedHeader.alg, sub: payload.sub, jti: payload.jti }))
  } catch (error) {
    console.log(JSON.stringify({ good: false, code: error.code }))
  }
}
