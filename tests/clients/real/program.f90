! Fortran by way of iso_c_binding: one call with a callback. Usage: program-f90 URL
! SPDX-License-Identifier: MIT
module writer
  use iso_c_binding
contains
  function take(bytes, size, count, context) bind(c) result(taken)
    integer(c_size_t), value :: size, count
    character(kind=c_char), intent(in) :: bytes(size * count)
    type(c_ptr), value :: context
    integer(c_size_t) :: taken
    write (*, '(*(a))', advance='no') bytes
    taken = size * count
  end function
end module

program asks
  use iso_c_binding
  use writer
  interface
    function curl_easy_init() bind(c)
      import
      type(c_ptr) :: curl_easy_init
    end function
    function curl_easy_setopt(handle, option, value) bind(c)
      import
      type(c_ptr), value :: handle, value
      integer(c_int), value :: option
      integer(c_int) :: curl_easy_setopt
    end function
    function set_function(handle, option, value) bind(c, name='curl_easy_setopt')
      import
      type(c_ptr), value :: handle
      type(c_funptr), value :: value
      integer(c_int), value :: option
      integer(c_int) :: set_function
    end function
    function curl_easy_perform(handle) bind(c)
      import
      type(c_ptr), value :: handle
      integer(c_int) :: curl_easy_perform
    end function
  end interface
  character(len=200), target :: url
  character(len=60), target :: body = '{"messages":[{"role":"user","content":"From Fortran"}]}' // c_null_char
  type(c_ptr) :: handle
  integer :: result

  call get_command_argument(1, url)
  url = trim(url) // c_null_char
  handle = curl_easy_init()
  result = curl_easy_setopt(handle, 10002, c_loc(url))
  result = curl_easy_setopt(handle, 10015, c_loc(body))
  result = set_function(handle, 20011, c_funloc(take))
  result = curl_easy_perform(handle)
  print *, result
end program
