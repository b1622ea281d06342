-- Haskell's Network.Curl: one call. Usage: program-hs URL
-- SPDX-License-Identifier: MIT
import Network.Curl
import System.Environment (getArgs)

main :: IO ()
main = withCurlDo $ do
  [url] <- getArgs
  (code, body) <- curlGetString url [CurlPost True, CurlPostFields ["{\"messages\":[{\"role\":\"user\",\"content\":\"From Haskell\"}]}"]]
  print code
  putStrLn body
