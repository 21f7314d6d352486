# Debian's packages hold man pages and changelogs compressed, without a time stamp, the latter as `changelog`.
file(GLOB changes ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/share/doc/jsnap/CHANGELOG.md)
foreach(file ${changes})
	get_filename_component(folder ${file} DIRECTORY)
	file(RENAME ${file} ${folder}/changelog)
endforeach()
file(GLOB_RECURSE pages ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/share/man/*.[1-9]
	${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/share/doc/jsnap/changelog)
foreach(page ${pages})
	execute_process(COMMAND gzip -9n ${page} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
