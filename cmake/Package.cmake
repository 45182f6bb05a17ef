# cmake --install and cpack: the program, libdlc with its header and its pkg-config file, the manual page and the completion
# (both written by dlc itself), the examples.
include(GNUInstallDirs)
set(CMAKE_INSTALL_LIBDIR lib)  # cmake/dlc.pc.in finds it from its own place

set(pages ${CMAKE_BINARY_DIR}/pages)
file(MAKE_DIRECTORY ${pages})
add_custom_command(OUTPUT ${pages}/dlc.1 ${pages}/dlc
  COMMAND dlc help --man > ${pages}/dlc.1
  COMMAND dlc help --completion > ${pages}/dlc
  DEPENDS dlc VERBATIM)
add_custom_target(pages ALL DEPENDS ${pages}/dlc.1 ${pages}/dlc)
configure_file(cmake/dlc.pc.in ${CMAKE_BINARY_DIR}/dlc.pc @ONLY)

install(TARGETS dlc RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS libdlc LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES runtime/dlc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/dlc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${pages}/dlc.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${pages}/dlc DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME dlc)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "deep-learning compiler")
set(CPACK_PACKAGE_CONTACT "the dlc authors <dlc@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "gcc, graphviz")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "dlc compiles neural networks written in a small text language to native code and trains them.
 It holds the command dlc and the library libdlc with its header.")
include(CPack)
