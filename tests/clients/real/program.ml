(* OCaml's Curl: one call with a callback. Usage: program-ml URL
   SPDX-License-Identifier: MIT *)
let () =
  let handle = Curl.init () in
  Curl.set_url handle Sys.argv.(1);
  Curl.set_postfields handle {|{"messages":[{"role":"user","content":"From OCaml"}]}|};
  Curl.set_writefunction handle (fun bytes -> print_string bytes; String.length bytes);
  Curl.perform handle;
  print_int (Curl.get_responsecode handle)
