# Debian's packages hold man pages and changelogs compressed, without a time stamp.
file(GLOB_RECURSE pages ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/share/man/*.[1-9]
	${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/share/doc/jsnap/CHANGELOG.md)
foreach(page ${pages})
	execute_process(COMMAND gzip -9n ${page} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
